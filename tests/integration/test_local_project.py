"""`qa-queue migrate` on a Postgres of the user's own, and through the Supabase CLI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from qa_queue.errors import InputError, StoreSchemaError, StoreUnavailableError
from qa_queue.local.files import MIGRATIONS
from qa_queue.local.migrations import migration_files
from qa_queue.local.project import migrate_database, push_with_cli, script_of
from qa_queue.local.stack import migrate
from qa_queue.settings import load_settings
from tests.support.postgres import start_postgres

QA = Path(sys.executable).with_name("qa-queue")
FILES = migration_files(MIGRATIONS)
RECORDED = "select version, name, statements from supabase_migrations.schema_migrations order by version"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with start_postgres() as url:
        yield url


@pytest.fixture
def database(postgres: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    name = f"db_{abs(hash(request.node.name))}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return postgres.removesuffix("postgres") + name


def recorded(url: str) -> list[tuple[str, str, list[str]]]:
    """The rows of the Supabase CLI's table."""
    with psycopg.connect(url) as connection:
        return connection.execute(RECORDED).fetchall()


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {name for (name,) in found}


def test_every_migration_is_applied_and_recorded_once(database: str) -> None:
    """A second run changes nothing."""
    assert list(migrate_database(database, FILES)) == [f"applied {path.name}" for path in FILES]
    assert {"test_runs", "test_steps", "test_cases", "schedules"} <= tables(database)
    rows = recorded(database)
    assert [f"{version}_{name}.sql" for version, name, _ in rows] == [path.name for path in FILES]
    assert rows[0][2] == [FILES[0].read_text(encoding="utf-8")]
    assert list(migrate_database(database, FILES)) == ["The database was already up to date."]
    assert recorded(database) == rows


def test_a_project_that_the_cli_migrated_in_part_gets_the_rest(database: str) -> None:
    assert len(list(migrate_database(database, FILES[:3]))) == 3
    assert list(migrate_database(database, FILES)) == [f"applied {path.name}" for path in FILES[3:]]


def test_a_migration_that_fails_leaves_nothing_of_itself(database: str, tmp_path: Path) -> None:
    """The message names the file; those before it stay applied."""
    bad = tmp_path / "20990101000000_bad.sql"
    bad.write_text("create table public.half (id int); select * from public.nowhere;")
    with pytest.raises(StoreSchemaError, match=r"20990101000000_bad\.sql failed: relation .* does not exist"):
        list(migrate_database(database, [*FILES[:1], bad]))
    assert "half" not in tables(database)
    assert [row[0] for row in recorded(database)] == [FILES[0].name.partition("_")[0]]


def test_the_printed_script_does_the_same(database: str) -> None:
    """As pasted into an SQL editor; `qa-queue migrate` then finds nothing to do."""
    printed = subprocess.run([QA, "migrate", "--print"], capture_output=True, text=True, check=True).stdout
    assert printed.rstrip("\n") == script_of(FILES).rstrip("\n")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(printed)
    assert list(migrate_database(database, FILES)) == ["The database was already up to date."]


def test_the_setting_wins_over_the_embedded_database(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUPABASE_DB_URL", database)
    assert list(migrate(load_settings())) == [f"applied {path.name}" for path in FILES]
    assert not (tmp_path / ".qa").exists()


def test_a_wrong_url_is_refused_without_its_password() -> None:
    """The value is never shown."""
    with pytest.raises(StoreUnavailableError, match="cannot be used") as refused:
        list(migrate_database("postgresql://ann:hunter2@127.0.0.1:1/x", FILES))
    assert "hunter2" not in str(refused.value)
    with pytest.raises(InputError, match="is not a database URL") as unread:
        list(migrate_database("hunter2", FILES))
    assert "hunter2" not in str(unread.value)


def test_a_linked_folder_is_migrated_through_the_supabase_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CLI gets the link and every migration; the folder of the project is not changed."""
    cli = tmp_path / "bin" / "supabase"
    cli.parent.mkdir()
    cli.write_text(
        '#!/bin/sh\necho "$@" > "$SEEN/arguments"\nfor last; do :; done\n'
        'cp -r "$last/supabase" "$SEEN/"\n[ -z "$FAIL" ] || { echo "permission denied" >&2; exit 1; }\n'
    )
    cli.chmod(0o755)
    link = tmp_path / "project" / "supabase" / ".temp"
    link.mkdir(parents=True)
    (link / "project-ref").write_text("abcdefghijklmnopqrst")
    seen = tmp_path / "seen"
    seen.mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("PATH", f"{cli.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(seen))
    settings = load_settings(supabase_url="https://abcdefghijklmnopqrst.supabase.co", supabase_secret_key="sb_x")
    assert list(migrate(settings)) == ["The linked project was migrated by the Supabase CLI."]
    assert (seen / "arguments").read_text().startswith("db push --linked")
    assert (seen / "supabase" / ".temp" / "project-ref").read_text() == "abcdefghijklmnopqrst"
    assert sorted(path.name for path in (seen / "supabase" / "migrations").iterdir()) == [p.name for p in FILES]
    assert sorted(path.name for path in (tmp_path / "project" / "supabase").iterdir()) == [".temp"]
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(StoreSchemaError, match="permission denied"):
        list(push_with_cli(cli, FILES))
