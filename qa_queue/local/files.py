"""Private files, and the files that the package brings along.

`bundle` holds links to files of the repository. A wheel contains copies of them, so that an installed package finds
them at the same place.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[2]
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file() and (ROOT / "qa_queue").is_dir()
BUNDLE = Path(__file__).parent / "bundle"
MIGRATIONS = BUNDLE / "migrations"
PROCFILE = BUNDLE / "Procfile"
SETUP = "make setup" if IN_CHECKOUT else "qa-queue install"
"""The command that installs what is missing."""

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def cache_folder() -> Path:
    """Return the user's cache of this program: `$XDG_CACHE_HOME/qa-queue`, by default `~/.cache/qa-queue`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "qa-queue"


def private_folder(path: Path) -> Path:
    """Create the folder and its parents, readable by the owner only; return it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(PRIVATE_FOLDER)
    return path


def open_private(path: Path) -> BinaryIO:
    """Open a new file with mode 0600 for writing; it never exists with another mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb")


def write_private(path: Path, text: str) -> None:
    """Replace the file atomically, with mode 0600: readers see either the old text or the new one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with open_private(draft) as out:
        out.write(text.encode())
    draft.replace(path)


def stored_secret(path: Path, prefix: str = "") -> str:
    """Return the secret kept in this file; generate and store one, with mode 0600, if the file does not exist."""
    if not path.exists():
        write_private(path, prefix + secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()
