"""The SQL files of the embedded database."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.errors import StackError
from qa_queue.extensions import ExtensionSpec
from qa_queue.extensions.catalogue import Catalogue
from qa_queue.local import migrations
from qa_queue.local.files import MIGRATIONS
from qa_queue.local.migrations import migration_files, migration_folders
from qa_queue.models import CleanupJobData


def folder(at: Path, *names: str) -> Path:
    at.mkdir()
    for name in names:
        (at / name).write_text("select 1;")
    return at


def test_files_of_several_folders_are_applied_in_the_order_of_their_names(tmp_path: Path) -> None:
    """The folder does not matter; other files are ignored."""
    own = folder(tmp_path / "own", "1.sql", "3.sql", "notes.md")
    added = folder(tmp_path / "added", "2.sql")
    assert [path.name for path in migration_files((own, added))] == ["1.sql", "2.sql", "3.sql"]
    assert migration_files(added) == [added / "2.sql"]


def test_an_empty_folder_and_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """The errors have their paths."""
    empty, one, other = (
        folder(tmp_path / name, *files) for name, *files in (("a",), ("b", "1.sql"), ("c", "1.sql"))
    )
    with pytest.raises(StackError, match="No migrations in"):
        migration_files(empty)
    with pytest.raises(StackError, match=r"b/1.sql have the same name"):
        migration_files((one, other))


def test_the_folder_of_the_service_comes_first() -> None:
    """Packages follow."""
    assert migration_folders()[0] == MIGRATIONS


def test_a_package_without_its_files_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A wheel may have been built without them; the log names its queue."""
    spec = ExtensionSpec(
        name="parcels", function="parcels.jobs.post", payload=CleanupJobData, migrations=tmp_path / "none"
    )
    found = Catalogue(queues={"parcels": spec}, packages={"parcels": "parcels-for-qa"}, broken=())
    monkeypatch.setattr(migrations, "catalogue", lambda: found)
    assert migration_folders() == (MIGRATIONS,)
    assert "the queue parcels should bring migrations" in caplog.text
