"""The SQL files of the database: the service's own, and those of installed packages' queues."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qa_queue.errors import StackError
from qa_queue.extensions import catalogue
from qa_queue.local.project import MIGRATIONS

Folders = Path | Sequence[Path]


def every_folder() -> tuple[Path, ...]:
    """The folders with migrations, the service's own first."""
    return (MIGRATIONS, *(spec.migrations for spec in catalogue().added if spec.migrations is not None))


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
