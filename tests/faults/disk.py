"""A full disk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def full_disk(folder: Path, kib: int = 4) -> Iterator[None]:
    """A file system of `kib` KiB at this folder."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("a full disk needs the permission to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
