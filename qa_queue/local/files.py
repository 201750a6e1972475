"""Files that hold keys or may: readable by their owner alone from the moment they exist."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def private_folder(path: Path) -> Path:
    """Make the folder, and its parents, for its owner alone; return it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(PRIVATE_FOLDER)
    return path


def open_private(path: Path) -> BinaryIO:
    """Open a fresh file of mode 0600 for writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb")


def write_private(path: Path, text: str) -> None:
    """Write the file in one go, mode 0600: readers see the old text or the new one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with open_private(draft) as out:
        out.write(text.encode())
    draft.replace(path)


def stored_secret(path: Path, prefix: str = "") -> str:
    """The secret kept in this file; made and stored, mode 0600, where there is none."""
    if not path.exists():
        write_private(path, prefix + secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()
