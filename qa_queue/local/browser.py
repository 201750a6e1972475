"""Whether the browser that was found opens a page: one that lacks a system library fails here, not in a run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from qa_queue.errors import InfrastructureError
from qa_queue.settings import Settings
from qa_queue.settings.chromium import find_browser

_TIMEOUT = 30.0


def check_browser(settings: Settings) -> str:
    """Open an empty page in the browser that runs would use; say which it is.

    Raises:
        BrowserMissingError: there is none.
        InfrastructureError: it does not start or opens no page.
    """
    binary = find_browser(settings)
    try:
        done = subprocess.run(_command(binary), capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603 - found by us
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{binary} does not start: {error}") from error
    if "<html" not in done.stdout:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InfrastructureError(f"{binary} does not open a page: {reason}")
    return str(binary)


def _command(binary: Path) -> list[str]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to start as root
    return [str(binary), "--headless", "--disable-gpu", *sandbox, "--dump-dom", "about:blank"]
