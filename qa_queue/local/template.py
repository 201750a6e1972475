"""Migrated databases kept for copying: migrating takes ten seconds, a copy a tenth of one."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

_KEPT = 3  # another branch may have other migrations
_MAKING = "making-"


def fingerprint(migrations: Iterable[Path], version: str) -> str:
    """A name for what these migrations make under this version of Supabase Lite; it changes with their content."""
    digest = hashlib.sha256(version.encode())
    for path in sorted(migrations):
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def copy_of(cache: Path, name: str, make: Callable[[Path], Path], target: Path) -> None:
    """Copy the template `name` to `target`; where the cache has none, `make(folder)` makes it in that folder.

    Both the template and the copy get their names when they are complete, so a kill leaves no half of one.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait for the template rather than make it too
        template = cache / name
        if not template.exists():
            _make_template(cache, template, make)
        draft = target.with_name(f"{target.name}.copy")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(template, draft)
        draft.rename(target)


def _make_template(cache: Path, template: Path, make: Callable[[Path], Path]) -> None:
    for killed in cache.glob(f"{_MAKING}*"):
        shutil.rmtree(killed)
    with tempfile.TemporaryDirectory(dir=cache, prefix=_MAKING) as folder:
        make(Path(folder)).rename(template)
    for old in sorted(_templates(cache), key=lambda p: p.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old)


def _templates(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]
