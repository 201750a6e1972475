"""The embedded Redis and Supabase as servers: access, data over restarts, errors of failed starts."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
import redis

from qa_queue.errors import StackError
from qa_queue.local.process import LocalServer, free_port, launch, port_is_free
from qa_queue.local.redis import start_redis
from qa_queue.local.supabase import migrate_data, start_supabase
from tests.conftest import FOREIGN_MIGRATION, TEMPLATES
from tests.support.processes import runs


def addresses(pid: int) -> set[str]:
    """The addresses on which a process listens."""
    return {found.laddr.ip for found in psutil.Process(pid).net_connections() if found.status == psutil.CONN_LISTEN}


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_redis_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    """The folder may have spaces and quotes in its name."""
    folder = tmp_path / 'a "b" c'
    for expected in (None, b"1"):
        with start_redis(folder) as server, redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == expected
            client.set("kept", "1")
        assert not runs(server.pid)


def test_redis_requires_its_password_and_listens_on_loopback_only(redis_server: LocalServer) -> None:
    """Anyone who can write to Redis can name the function that a worker calls."""
    assert addresses(redis_server.pid) == {"127.0.0.1"}
    with redis.Redis.from_url(redis_server.address) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_files_with_passwords_are_readable_by_their_owner_only(
    redis_server: LocalServer, supabase: LocalServer
) -> None:
    """Logs too: Supabase Lite prints its key."""
    redis_home, supabase_home = redis_server.service.log.parent, supabase.service.log.parent
    private = [redis_home / name for name in ("password", "redis.conf", "redis.log")]
    private += [
        supabase_home / name for name in ("secret_key", "jwt_secret", "supabase.log", "supabase/config.toml")
    ]
    assert {path.name: mode(path) for path in private if mode(path) != 0o600} == {}
    assert (mode(redis_home), mode(supabase_home)) == (0o700, 0o700)


def test_the_representation_of_a_server_has_no_password(redis_server: LocalServer, supabase: LocalServer) -> None:
    """It appears in logs."""
    password = redis_server.url.partition(":")[2].partition("@")[0].lstrip("/:")
    assert len(password) > 20
    assert password not in repr(redis_server) + redis_server.address
    assert supabase.key is not None
    assert supabase.key not in repr(supabase)


def test_a_redis_that_cannot_start_is_reported_with_the_reason(tmp_path: Path) -> None:
    """The end of its log is in the message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=r"(?s)Redis ended with code 1.*Address already in use"):
            start_redis(tmp_path, port)


def test_a_server_that_never_answers_is_stopped(tmp_path: Path) -> None:
    """The wait ends with an error, and no process is left."""
    service = launch("Sleeper", ["sleep", "100"], log=tmp_path / "log")
    with pytest.raises(StackError, match=r"Sleeper did not answer within 0.2 s"):
        service.wait_until(lambda: False, timeout_s=0.2)
    assert not runs(service.pid)


def test_a_command_that_does_not_exist_is_an_error_of_the_child(tmp_path: Path) -> None:
    """The child ends at once, and its log has the reason."""
    service = launch("Missing", [tmp_path / "missing"], log=tmp_path / "log")
    with pytest.raises(StackError, match=r"(?s)Missing ended with code.*No such file"):
        service.wait_until(lambda: False, timeout_s=10)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """Stopping always ends."""
    service = launch(
        "Stubborn", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"], log=tmp_path / "log"
    )
    service.wait_until(lambda: (tmp_path / "log").read_text() == "up\n", timeout_s=10)
    service.stop(grace_s=0.3)
    assert not service.running
    assert service.popen.returncode == -9


def test_a_free_port_is_free_and_a_used_one_is_not() -> None:
    """Only loopback counts."""
    port = free_port()
    assert port_is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"apikey": "sb_secret_wrong"}, 401),
        ({"Authorization": "Bearer KEY"}, 401),
        ({"apikey": "KEY"}, 200),
    ],
)
def test_supabase_requires_its_key(supabase: LocalServer, headers: dict[str, str], status: int) -> None:
    """Requests from this machine are not trusted either."""
    filled = {name: value.replace("KEY", str(supabase.key)) for name, value in headers.items()}
    assert httpx.get(f"{supabase.url}/rest/v1/test_runs?limit=1", headers=filled, timeout=30).status_code == status


def test_supabase_listens_on_loopback_only_and_refuses_to_sign_users_up(supabase: LocalServer) -> None:
    """Only the service may read its rows."""
    assert addresses(supabase.pid) == {"127.0.0.1"}
    answer = httpx.post(
        f"{supabase.url}/auth/v1/signup",
        headers={"apikey": str(supabase.key)},
        json={"email": "a@example.org", "password": "long-enough-1"},
        timeout=30,
    )
    assert answer.status_code >= 400


def test_supabase_keeps_its_rows_and_gets_new_migrations(tmp_path: Path) -> None:
    """A second start applies the new migrations only."""
    migrations, folder = tmp_path / "migrations", tmp_path / "data"
    migrations.mkdir()
    name, sql = FOREIGN_MIGRATION
    (migrations / name).write_text(sql)
    row = {"id": str(uuid4())}
    with start_supabase(folder, cache=TEMPLATES, migrations=migrations) as server:
        rows = {"headers": {"apikey": str(server.key)}, "timeout": 30}
        assert httpx.post(f"{server.url}/rest/v1/other", json=row, **rows).status_code == 201
    assert not migrate_data(folder, cache=TEMPLATES, migrations=migrations)
    (migrations / "20260102000000_b.sql").write_text("create table public.more (id int primary key);")
    with start_supabase(folder, cache=TEMPLATES, migrations=migrations) as server:
        assert httpx.get(f"{server.url}/rest/v1/other", **rows).json() == [row]
        assert httpx.get(f"{server.url}/rest/v1/more", **rows).json() == []


def test_a_migration_that_fails_is_reported_and_leaves_no_files_behind(tmp_path: Path) -> None:
    """The next start begins from an empty database."""
    migrations, folder = tmp_path / "migrations", tmp_path / "data"
    migrations.mkdir()
    (migrations / "20260101000000_a.sql").write_text("create table nonsense (;")
    with pytest.raises(StackError, match=r"(?s)A migration failed.*syntax error"):
        start_supabase(folder, migrations=migrations)
    assert not (folder / "data").exists()
    assert not list((tmp_path / "cache").glob("supabase-*"))


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    """An empty database would look like a lost one."""
    with pytest.raises(StackError, match="No migrations in"):
        migrate_data(tmp_path / "data", migrations=tmp_path)
