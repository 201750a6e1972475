"""Migrations of a Supabase project or another Postgres with PostgREST, which the embedded stack does not own.

Applied migrations are recorded as the Supabase CLI does, in `supabase_migrations.schema_migrations`, so that both
can be used on one project. Each file is applied in a transaction of its own together with its record.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_queue.errors import InputError, StoreSchemaError, StoreUnavailableError

if TYPE_CHECKING:
    import psycopg

CLI_TIMEOUT_S = 600.0
_LINK = Path("supabase", ".temp")  # `supabase link` writes the project's reference there
_RECORDS = """create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""
_ROLES = """do $$
declare missing text;
begin
  foreach missing in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = missing) then
      execute format('create role %I nologin', missing);
    end if;
  end loop;
end $$;
"""  # a Postgres that is not Supabase's has none of the roles that PostgREST switches to
_LOCK = 7_130_226  # of migrations that run at the same time


def script_of(files: Sequence[Path]) -> str:
    """Return one script for an SQL editor that applies these migrations to an empty project and records them."""
    parts = ["begin;", _RECORDS + _ROLES]
    for path in files:
        version, name = version_of(path)
        text = path.read_text(encoding="utf-8")
        quoted = text.replace("'", "''")
        parts.append(
            f"-- {path.name}\n{text.rstrip()}\n"
            "insert into supabase_migrations.schema_migrations (version, name, statements)\n"
            f"  values ('{version}', '{name}', array['{quoted}']);\n"
        )
    return "\n".join([*parts, "notify pgrst, 'reload schema';", "commit;", ""])


def version_of(path: Path) -> tuple[str, str]:
    """Return version and name of a migration's file, `20260108120000_qa_queue.sql`."""
    version, _, name = path.stem.partition("_")
    return version, name


def linked_cli() -> Path | None:
    """Return the Supabase CLI if it is installed and the working folder is linked to a project."""
    found = shutil.which("supabase")
    return Path(found) if found and (_LINK / "project-ref").is_file() else None


def push_with_cli(cli: Path, files: Sequence[Path]) -> Iterator[str]:
    """Apply the missing migrations to the linked project through the Supabase CLI; yield a line about the result.

    The project's own `supabase/` folder is not changed: the CLI works in a copy that has these migrations.

    Raises:
        StoreSchemaError: the CLI failed; the message has its last lines.
    """
    with tempfile.TemporaryDirectory(prefix="qa-queue-migrate-") as folder:
        project = Path(folder, "supabase")
        (project / "migrations").mkdir(parents=True)
        shutil.copytree(_LINK, project / ".temp")
        for path in files:
            shutil.copyfile(path, project / "migrations" / path.name)
        done = subprocess.run(  # noqa: S603 - found on PATH
            [cli, "db", "push", "--linked", "--include-all", "--yes", "--workdir", folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLI_TIMEOUT_S,
            check=False,
        )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise StoreSchemaError("`supabase db push` failed:\n" + "\n".join(lines))
    yield "The linked project was migrated by the Supabase CLI."


def migrate_database(url: str, files: Sequence[Path]) -> Iterator[str]:
    """Apply the missing migrations to the database at `url`; yield a line for each, or one that none was missing.

    Raises:
        InputError: psycopg is not installed, or the URL cannot be read.
        StoreUnavailableError: the database cannot be reached or refuses the login.
        StoreSchemaError: a migration failed; it and those after it are not applied.
    """
    psycopg = _psycopg()
    try:
        connection = psycopg.connect(url, connect_timeout=10)
    except psycopg.ProgrammingError:
        raise InputError(
            "SUPABASE_DB_URL is not a database URL: it should be postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"The database of SUPABASE_DB_URL cannot be used: {_reason(error)}") from None
    with connection:
        yield from _migrate(connection, files)


def _migrate(connection: psycopg.Connection[Any], files: Sequence[Path]) -> Iterator[str]:
    with connection.transaction():
        connection.execute(_RECORDS + _ROLES)
    applied = [path for path in files if _apply(connection, path)]
    with connection.transaction():
        connection.execute("notify pgrst, 'reload schema'")
    yield from (f"applied {path.name}" for path in applied)
    if not applied:
        yield "The database was already up to date."


def _apply(connection: psycopg.Connection[Any], path: Path) -> bool:
    """Apply a migration and record it, unless it is recorded; return whether it was applied."""
    psycopg = _psycopg()
    version, name = version_of(path)
    text = path.read_text(encoding="utf-8")
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
            known = connection.execute(
                "select 1 from supabase_migrations.schema_migrations where version = %s", [version]
            )
            if known.fetchone():
                return False
            connection.execute(text)
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
                [version, name, [text]],
            )
    except psycopg.Error as error:
        raise StoreSchemaError(f"{path.name} failed: {_reason(error)}") from None
    return True


def _reason(error: Exception) -> str:
    """Return the first line of the database's message, which contains no password."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _psycopg() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise InputError(
            "SUPABASE_DB_URL needs psycopg: pip install 'qa-queue[migrate]'. `qa-queue migrate --print` prints the "
            "SQL instead."
        ) from None
    return psycopg
