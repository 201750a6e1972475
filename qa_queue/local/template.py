"""Migrated databases kept for copying: migrating takes ten seconds, a copy a tenth of one."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

_KEPT = 3  # another checkout or branch may share the folder


def fingerprint(migrations: Iterable[Path], version: str) -> str:
    """A name for what these migrations make under this version of Supabase Lite; it changes with their content."""
    digest = hashlib.sha256(version.encode())
    for path in sorted(migrations):
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def copy_of(cache: Path, name: str, make: Callable[[Path], None], target: Path) -> None:
    """Copy the template `name` to `target`, made first by `make(folder)` where the cache has none."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait for the template rather than make it too
        template = cache / name
        if not template.exists():
            _make_whole(cache, template, make)
        shutil.copytree(template, target)


def _make_whole(cache: Path, template: Path, make: Callable[[Path], None]) -> None:
    """Make the template under another name first, so that what has its name is complete."""
    with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as folder:
        draft = Path(folder) / template.name
        make(draft)
        draft.rename(template)
    for old in sorted(_templates(cache), key=lambda p: p.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old)


def _templates(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir() and not path.name.startswith("making-")]
