"""`qa-queue migrate`: the embedded database is migrated, a project of the user's own is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.errors import StackError, StoreSchemaError
from qa_queue.local.process import LocalServer
from qa_queue.local.stack import migrate
from qa_queue.local.stack_lock import StackLock
from qa_queue.settings import Settings, load_settings
from qa_queue.store.supabase import SupabaseStore

CACHE = Path(__file__).resolve().parents[2] / ".qa" / "cache"


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Empty settings; migrated databases are copied from the checkout's cache."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".qa").mkdir()
    CACHE.mkdir(parents=True, exist_ok=True)
    (tmp_path / ".qa" / "cache").symlink_to(CACHE)
    return load_settings()


def test_the_embedded_database_is_migrated_once(embedded: Settings) -> None:
    """The second call reports that nothing had to be done."""
    assert "is now up to date" in " ".join(migrate(embedded))
    assert "was already up to date" in " ".join(migrate(embedded))


def test_a_database_in_use_is_not_migrated(embedded: Settings) -> None:
    """Two processes on one data folder would destroy it; a stack that is starting holds the lock too."""
    lock = StackLock(embedded.qa_home.resolve())
    lock.acquire()
    with pytest.raises(StackError, match="already running"):
        list(migrate(load_settings()))
    lock.release()


def test_a_project_with_all_tables_is_up_to_date(supabase: LocalServer) -> None:
    """The line names its URL."""
    settings = load_settings(supabase_url=supabase.url, supabase_secret_key=supabase.key)
    assert list(migrate(settings)) == [f"The tables in {supabase.url} are up to date."]


def test_a_project_without_tables_gets_the_ways_to_create_them(
    supabase: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's key cannot create tables, so the project's owner gets the commands."""

    def lack_a_table(store: SupabaseStore) -> None:
        raise StoreSchemaError("the table test_runs is missing")

    monkeypatch.setattr(SupabaseStore, "check", lack_a_table)
    settings = load_settings(supabase_url=supabase.url, supabase_secret_key=supabase.key)
    with pytest.raises(
        StoreSchemaError,
        match=r"(?s)test_runs is missing.*SUPABASE_DB_URL.*supabase link.*qa-queue migrate --print",
    ):
        list(migrate(settings))
