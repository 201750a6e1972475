"""The search for Chromium: the configured one, an installed one, or Playwright's own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from qa_queue.errors import BrowserMissingError
from qa_queue.settings import Settings

# The headless shell first: it starts in a tenth of the time of the whole browser.
COMMANDS = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
)
_MAC_APPS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
_DOWNLOADS = {"darwin": Path("~/Library/Caches/ms-playwright"), "linux": Path("~/.cache/ms-playwright")}
_DOWNLOADED = ("chromium_headless_shell-*/*/*headless*shell", "chromium-*/*/chrome")
FIX = "make setup, or one of: playwright install --only-shell chromium; apt-get install chromium-headless-shell"


def find_browser(settings: Settings) -> Path:
    """Return Chromium's binary: `QA_BROWSER_PATH`, else one on PATH, else a macOS application, else Playwright's.

    Raises:
        BrowserMissingError: none was found, or `QA_BROWSER_PATH` is not a file.
    """
    if settings.qa_browser_path is not None:
        return _asked_for(settings.qa_browser_path)
    found = next(_installed(), None) or newest_download(_downloads())
    if found is None:
        raise BrowserMissingError(
            f"No Chromium was found on this machine. Install one: {FIX}; or set QA_BROWSER_PATH."
        )
    return found


def newest_download(folder: Path) -> Path | None:
    """Return the newest headless shell, else the newest whole browser, that Playwright downloaded to `folder`."""
    for pattern in _DOWNLOADED:
        found = sorted((path for path in folder.glob(pattern) if path.is_file()), key=_revision)
        if found:
            return found[-1]
    return None


def _asked_for(path: Path) -> Path:
    if not path.is_file():
        raise BrowserMissingError(
            f"QA_BROWSER_PATH={path} is not a file: name a Chromium, or unset it to search for one."
        )
    return path


def _installed() -> Iterator[Path]:
    yield from (Path(found) for found in map(shutil.which, COMMANDS) if found)
    yield from (app for app in _MAC_APPS if app.is_file())


def _downloads() -> Path:
    return _DOWNLOADS.get(sys.platform, _DOWNLOADS["linux"]).expanduser()


def _revision(path: Path) -> int:
    """Playwright names its folders `chromium_headless_shell-1187`."""
    return int(path.parents[1].name.rpartition("-")[2])
