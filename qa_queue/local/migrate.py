"""`qa-queue migrate`: bring the tables up to date, or say how where only the database's owner can."""

from __future__ import annotations

from collections.abc import Iterator

from qa_queue.errors import StoreSchemaError
from qa_queue.local.migrations import every_folder, migration_files
from qa_queue.local.stack import needs, stack_runs, stack_variables
from qa_queue.local.stack_lock import StackRecord
from qa_queue.local.supabase import migrate as migrate_lite
from qa_queue.settings import Settings
from qa_queue.store.supabase import SupabaseStore


def migrate(settings: Settings) -> Iterator[str]:
    """Do it and say what was done, a line each.

    Raises:
        StackError: a migration failed, or the embedded database runs on other migrations.
        StoreSchemaError: a project of the user's own lacks tables; the message says how to make them.
        StoreError: it cannot be reached or refused the key.
    """
    left_over = {} if stack_runs(settings) else stack_variables(settings.qa_home)
    if needs(settings, left_over).supabase:
        yield from _embedded(settings)
    else:
        yield from _project(settings)


def _embedded(settings: Settings) -> Iterator[str]:
    """The data must be ours alone while it is migrated."""
    home = settings.qa_home.resolve()
    record = StackRecord(home)
    record.take()
    try:
        changed = migrate_lite(home / "supabase", migrations=every_folder())
    finally:
        record.release()
    yield f"The embedded database in {home / 'supabase'} {'is now' if changed else 'was already'} up to date."


def _project(settings: Settings) -> Iterator[str]:
    """The secret key reads and writes rows but makes no tables: only the project's owner does."""
    store = SupabaseStore.from_settings(settings)
    try:
        store.check()
    except StoreSchemaError as error:
        raise StoreSchemaError(f"{error}\n{_advice(settings)}") from error
    finally:
        store.close()
    yield f"The tables in {settings.supabase_url} are up to date."


def _advice(settings: Settings) -> str:
    if settings.supabase_url == stack_variables(settings.qa_home).get("SUPABASE_URL"):
        return "The embedded database is migrated at its start: stop `qa-queue up` and start it again."
    files = (str(path) for path in migration_files(every_folder()))
    how = "Run `npx supabase link && npx supabase db push`, or these files in the project's SQL editor, in order:"
    return "\n  ".join([how, *files])
