"""The embedded Supabase: Supabase Lite with its `pglite` driver, which is real Postgres in one Node process.

Its folder is a Supabase project of its own with copies of the migrations, so that nothing is written into the
checkout's `supabase/`. It listens on loopback only and refuses requests without the secret key.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
from pathlib import Path

from qa_queue.errors import StackError
from qa_queue.local.binaries import find_node
from qa_queue.local.files import MIGRATIONS, open_private, private_folder, stored_secret, write_private
from qa_queue.local.lite import find_lite, lite_version
from qa_queue.local.migrations import Folders, copy_template, fingerprint, migration_files
from qa_queue.local.process import LOOPBACK, LocalServer, free_port, launch, masked_text
from qa_queue.worker.die_with_parent import bound_command

_MIGRATE_TIMEOUT_S = 180.0
_START_TIMEOUT_S = 90.0
# Node compiles the hot functions of Postgres a second time, with optimization. That takes 1 to 2 s of CPU after
# each start, and requests do not get faster: most of their time is spent in JavaScript.
_COMPILE_ONCE = "--liftoff-only"


def launch_supabase(
    folder: Path, port: int | None = None, *, cache: Path | None = None, migrations: Folders = MIGRATIONS
) -> LocalServer:
    """Migrate and start a Supabase with its data in `folder`; do not wait until it answers.

    `cache` holds migrated databases to copy from (by default the folder `cache` beside `folder`). `migrations` is
    one folder or several.

    Raises:
        StackError: a part is missing, a migration failed, or it cannot be started.
    """
    port = port or free_port()
    project = _lay_out(folder, port, migrations)
    _migrate(project, cache or project.parent / "cache", migrations)
    key = stored_secret(project / "secret_key")
    url = f"http://{LOOPBACK}:{port}"
    command, log = _command("start", "--no-admin"), project / "supabase.log"
    service = launch("Supabase", command, log=log, cwd=project, secrets=_secrets(project))
    return LocalServer(url, url, service, lambda: _answers(port, key), key, _START_TIMEOUT_S)


def start_supabase(
    folder: Path, port: int | None = None, *, cache: Path | None = None, migrations: Folders = MIGRATIONS
) -> LocalServer:
    """Start a Supabase as `launch_supabase` does, and wait until it answers.

    Raises:
        StackError: a part is missing, a migration failed, or it did not answer in time.
    """
    return launch_supabase(folder, port, cache=cache, migrations=migrations).wait_until_ready()


def migrate_data(folder: Path, *, cache: Path | None = None, migrations: Folders = MIGRATIONS) -> bool:
    """Apply the migrations that the database in `folder` lacks, while no server uses it; return whether any did.

    Raises:
        StackError: a part is missing or a migration failed.
    """
    project = _lay_out(folder, free_port(), migrations)
    return _migrate(project, cache or project.parent / "cache", migrations)


def _lay_out(folder: Path, port: int, migrations: Folders) -> Path:
    """Write the project folder that Supabase Lite works in; return it."""
    files = migration_files(migrations)
    project = private_folder(folder.resolve())
    copies = project / "supabase" / "migrations"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, copies / path.name)
    key = stored_secret(project / "secret_key", prefix="sb_secret_")
    write_private(project / "supabase" / "config.toml", _config(port, key, stored_secret(project / "jwt_secret")))
    return project


def _config(port: int, key: str, jwt_secret: str) -> str:
    return f"""[api]
port = {port}

[db]
driver = "pglite"
url = "data"

[auth]
enabled = true
enable_signup = false
jwt_secret = "{jwt_secret}"
secret_key = "{key}"
"""


def _migrate(project: Path, cache: Path, migrations: Folders) -> bool:
    """Apply what is missing and return whether anything was; the file `migrated` records the applied ones."""
    wanted = fingerprint(migration_files(migrations), lite_version())
    stamp, data = project / "migrated", project / "data"
    if not data.exists():
        copy_template(cache, f"supabase-{wanted}", lambda folder: _migrated_data(folder, migrations), data)
    elif stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return False
    else:
        _apply(project)
    write_private(stamp, wanted)
    return True


def _migrated_data(folder: Path, migrations: Folders) -> Path:
    """Create a database with these migrations in a new project in this folder; return its data folder."""
    project = _lay_out(folder / "project", free_port(), migrations)
    _apply(project)
    return project / "data"


def _apply(project: Path) -> None:
    log = project / "migrate.log"
    with open_private(log) as output:
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                bound_command(_command("migration", "up")),
                cwd=project,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_MIGRATE_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"The migrations did not end within {_MIGRATE_TIMEOUT_S:g} s.") from None
    if done.returncode:
        raise StackError(f"A migration failed. Supabase Lite says:\n{masked_text(log, _secrets(project)).strip()}")


def _secrets(project: Path) -> list[str]:
    return [stored_secret(project / name) for name in ("secret_key", "jwt_secret")]


def _command(*arguments: str) -> list[str | Path]:
    return [find_node(), _COMPILE_ONCE, find_lite(), "--no-telemetry", *arguments]


def _answers(port: int, key: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5.0)
    try:
        connection.request("GET", "/rest/v1/", headers={"apikey": key})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):  # not listening yet
        return False
    finally:
        connection.close()
