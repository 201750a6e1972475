"""`qa-queue migrate`: the embedded database is migrated, a project of the user's own is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.errors import StackError, StoreSchemaError
from qa_queue.local.migrate import migrate
from qa_queue.local.server import LocalServer
from qa_queue.local.stack_lock import StackRecord
from qa_queue.settings import Settings, load_settings
from qa_queue.store.supabase import SupabaseStore

CACHE = Path(__file__).resolve().parents[2] / ".qa" / "cache"


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Nothing configured; migrated databases are copied from the checkout's cache."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".qa").mkdir()
    CACHE.mkdir(parents=True, exist_ok=True)
    (tmp_path / ".qa" / "cache").symlink_to(CACHE)
    return load_settings()


def test_the_embedded_database_is_migrated_once(embedded: Settings) -> None:
    """The second time says that there was nothing to do."""
    assert "is now up to date" in " ".join(migrate(embedded))
    assert "was already up to date" in " ".join(migrate(embedded))


def test_a_database_in_use_is_not_migrated(embedded: Settings) -> None:
    """Two processes on one data folder would destroy it; a stack that is just starting holds it too."""
    record = StackRecord(embedded.qa_home.resolve())
    record.take()
    with pytest.raises(StackError, match="already running"):
        list(migrate(load_settings()))
    record.release()


def test_a_project_with_all_tables_is_up_to_date(supabase: LocalServer) -> None:
    """Its URL is in the answer."""
    settings = load_settings(supabase_url=supabase.url, supabase_secret_key=supabase.key)
    assert list(migrate(settings)) == [f"The tables in {supabase.url} are up to date."]


def test_a_project_without_tables_gets_the_commands_and_the_files(
    supabase: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of the service makes no tables, so the project's owner is told how."""

    def lack_a_table(store: SupabaseStore) -> None:
        raise StoreSchemaError("the table test_runs is missing")

    monkeypatch.setattr(SupabaseStore, "check", lack_a_table)
    settings = load_settings(supabase_url=supabase.url, supabase_secret_key=supabase.key)
    with pytest.raises(
        StoreSchemaError, match=r"(?s)test_runs is missing.*supabase db push.*supabase/migrations/\d+"
    ):
        list(migrate(settings))
