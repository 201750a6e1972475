"""The SQL files of the database, and migrated databases kept for copying.

The files are the service's own and those of installed packages. Migrating takes ten seconds, a copy a tenth of one.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from filelock import FileLock

from qa_queue.errors import StackError
from qa_queue.extensions import ExtensionSpec, catalogue
from qa_queue.local.files import MIGRATIONS

log = logging.getLogger(__name__)
Folders = Path | Sequence[Path]

_TEMPLATES_KEPT = 3  # another branch may have other migrations
_DRAFT_PREFIX = "making-"


def migration_folders() -> tuple[Path, ...]:
    """Return the folders with migrations, the service's own first."""
    added = [spec for spec in catalogue().added if spec.migrations is not None]
    for spec in added:
        if lacks_migrations(spec):
            log.warning("%s", missing_migrations(spec))
    return (MIGRATIONS, *(spec.migrations for spec in added if spec.migrations and not lacks_migrations(spec)))


def lacks_migrations(spec: ExtensionSpec) -> bool:
    """Return whether the folder of migrations that a package names is empty, as in a wheel built without them."""
    return spec.migrations is not None and next(spec.migrations.glob("*.sql"), None) is None


def missing_migrations(spec: ExtensionSpec) -> str:
    """Return the message about a package whose migrations are missing."""
    return f"the package of the queue {spec.name} should bring migrations, but {spec.migrations} has no *.sql file"


def migration_files(folders: Folders) -> list[Path]:
    """Return the files of these folders in the order of their names, which is the order in which they are applied.

    Raises:
        StackError: a folder has no files, or two files have the same name.
    """
    found: dict[str, Path] = {}
    for folder in (folders,) if isinstance(folders, Path) else folders:
        files = sorted(folder.glob("*.sql"))
        if not files:
            raise StackError(
                f"No migrations in {folder}: start qa-queue from its checkout, or reinstall the package."
            )
        for path in files:
            if path.name in found:
                raise StackError(
                    f"{path} and {found[path.name]} have the same name: rename one, for the order is by name."
                )
            found[path.name] = path
    return [found[name] for name in sorted(found)]


def fingerprint(migrations: Iterable[Path], version: str) -> str:
    """Return a digest of the files' names and contents and the version of Supabase Lite: 16 hexadecimal digits."""
    digest = hashlib.sha256(version.encode())
    for path in sorted(migrations):
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def copy_template(cache: Path, name: str, make: Callable[[Path], Path], target: Path) -> None:
    """Copy the template `name` to `target`; if the cache lacks it, `make(folder)` makes it in that folder first.

    Template and copy get their names once they are complete, so that a kill leaves no incomplete one behind.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):  # others wait for the template instead of making it too
        template = cache / name
        if not template.exists():
            _make_template(cache, template, make)
        draft = target.with_name(f"{target.name}.copy")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(template, draft)
        draft.rename(target)


def _make_template(cache: Path, template: Path, make: Callable[[Path], Path]) -> None:
    for killed in cache.glob(f"{_DRAFT_PREFIX}*"):
        shutil.rmtree(killed)
    with tempfile.TemporaryDirectory(dir=cache, prefix=_DRAFT_PREFIX) as folder:
        make(Path(folder)).rename(template)
    for old in sorted(_templates(cache), key=lambda path: path.stat().st_mtime)[:-_TEMPLATES_KEPT]:
        shutil.rmtree(old)


def _templates(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]
