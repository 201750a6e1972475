"""The SQL files of the database: the service's own, and those of installed packages' queues."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from qa_queue.errors import StackError
from qa_queue.extensions import QueueSpec, catalogue
from qa_queue.local.project import MIGRATIONS

log = logging.getLogger(__name__)
Folders = Path | Sequence[Path]


def every_folder() -> tuple[Path, ...]:
    """The folders with migrations, the service's own first."""
    added = [spec for spec in catalogue().added if spec.migrations is not None]
    for spec in added:
        if lacks_migrations(spec):
            log.warning("%s", missing_migrations(spec))
    return (MIGRATIONS, *(spec.migrations for spec in added if spec.migrations and not lacks_migrations(spec)))


def lacks_migrations(spec: QueueSpec) -> bool:
    """Whether a package names a folder of migrations without any, as when its wheel was built without them."""
    return spec.migrations is not None and next(spec.migrations.glob("*.sql"), None) is None


def missing_migrations(spec: QueueSpec) -> str:
    """What is wrong with the migrations of a queue's package."""
    return f"the package of the queue {spec.name} should bring migrations, but {spec.migrations} has no *.sql file"


def migration_files(folders: Folders) -> list[Path]:
    """The files of these folders in the order of their names, in which they are applied.

    Raises:
        StackError: a folder has none, or two have one of the same name.
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
                raise StackError(f"{path} and {found[path.name]} have one name: a migration's name says its place.")
            found[path.name] = path
    return [found[name] for name in sorted(found)]
