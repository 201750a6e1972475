"""The versions of the migrations: Supabase records each migration by the number that its file begins with."""

from qa_queue.local.files import MIGRATIONS
from qa_queue.local.migrations import migration_files


def test_every_migration_has_a_version_of_its_own() -> None:
    """Two of one version, and the second is never applied."""
    versions = [file.name.partition("_")[0] for file in migration_files(MIGRATIONS)]
    assert len(versions) > 5
    assert sorted(set(versions)) == versions
