"""The connection to a real Redis, and the errors without one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings
from tests.support.tls import make_certificate, tls_front


def client(url: str | None = None, **settings: object) -> RedisClient:
    return RedisClient(Settings(_env_file=None, redis_url=url, **settings))


def failure(url: str | None = None, **settings: object) -> str:
    with pytest.raises(RedisUnavailableError) as caught:
        client(url, **settings).connect()
    return str(caught.value)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken and on which no one listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def parts(redis_url: str) -> dict[str, object]:
    """The session's Redis as separate settings."""
    url = urlsplit(redis_url)
    return {"redis_host": url.hostname, "redis_port": url.port, "redis_password": url.password}


def test_it_connects_once_and_speaks_bytes_as_rq_needs(redis_url: str, redis_db: Redis) -> None:
    opened = client(redis_url)
    connection = opened.connect()
    connection.set("greeting", "hello")
    assert connection.get("greeting") == b"hello"
    assert opened.connect() is connection
    opened.disconnect()


def test_it_connects_by_host_port_password_and_database(parts: dict[str, object]) -> None:
    connection = client(**parts, redis_db=3).connect()
    assert connection.client_info()["db"] == 3
    connection.close()


def test_it_reconnects_when_the_server_drops_its_connections(redis_url: str, redis_db: Redis) -> None:
    opened = client(redis_url)
    connection = opened.connect()
    redis_db.client_kill_filter(_type="normal", skipme=True)
    assert connection.ping()
    opened.disconnect()


def test_after_disconnect_it_can_connect_again(redis_url: str) -> None:
    opened = client(redis_url)
    first = opened.connect()
    opened.disconnect()
    second = opened.connect()
    assert second is not first
    assert second.ping()
    opened.disconnect()


def test_a_pool_that_is_used_up_waits_for_a_free_connection(redis_url: str, redis_db: Redis) -> None:
    """More threads than connections take turns; none of them fails."""
    opened = client(redis_url, redis_max_connections=2)
    connection = opened.connect()
    threads = [threading.Thread(target=connection.incr, args=("count",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connection.get("count") == b"20"
    opened.disconnect()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # RQ's workers fork, so it must work
def test_a_forked_child_uses_connections_of_its_own(redis_url: str, redis_db: Redis) -> None:
    opened = client(redis_url)
    connection = opened.connect()
    parent_id = connection.client_id()
    child = os.fork()
    if child == 0:
        connection.set("child_id", connection.client_id())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(connection.get("child_id") or 0) not in (0, parent_id)
    assert connection.client_id() == parent_id
    opened.disconnect()


def test_the_instance_is_one_for_the_process(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RedisClient, "_instance", None)
    settings = Settings(_env_file=None, redis_url=redis_url)
    assert RedisClient.instance(settings) is RedisClient.instance()


def test_a_health_check_tells_version_and_latency(redis_url: str) -> None:
    opened = client(redis_url)
    health = opened.health_check()
    assert health.ok
    assert health.error is None
    assert health.latency_ms is not None
    assert health.latency_ms > 0
    assert health.version is not None
    assert int(health.version.split(".")[0]) >= 6
    opened.disconnect()


def test_a_health_check_of_a_redis_that_is_down_says_what_to_do(closed_port: int) -> None:
    health = client(f"redis://127.0.0.1:{closed_port}").health_check()
    assert not health.ok
    assert "nothing listens there" in (health.error or "")


def test_refused_says_where_and_what_to_do_without_the_password(closed_port: int) -> None:
    message = failure(f"redis://:hunter2@127.0.0.1:{closed_port}/2")
    assert f"127.0.0.1:{closed_port}/2" in message
    assert "nothing listens there. Start the service" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("password", ["wrong-one", None])
def test_a_wrong_or_missing_password_is_named_as_such(parts: dict[str, object], password: str | None) -> None:
    message = failure(**{**parts, "redis_password": password})
    assert "refused the login. Check REDIS_PASSWORD" in message
    assert str(parts["redis_password"]) not in message
    assert "wrong-one" not in message


def test_an_unknown_user_is_a_refused_login(parts: dict[str, object]) -> None:
    assert "REDIS_USERNAME" in failure(**parts, redis_username="stranger")


def test_an_unknown_host_is_named_as_such() -> None:
    message = failure("redis://no-such-host.invalid:6379")
    assert "no-such-host.invalid:6379/0" in message
    assert "the host is unknown" in message


def test_a_database_that_is_not_there_is_named_as_such(parts: dict[str, object]) -> None:
    assert "no such database number. Set REDIS_DB lower" in failure(**parts, redis_db=9999)


def test_a_socket_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    message = failure(f"unix://{tmp_path}/redis.sock")
    assert f"{tmp_path}/redis.sock/0" in message
    assert "a file is missing" in message


def test_a_url_of_another_kind_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL is not a Redis URL"):
        client("http://127.0.0.1:6379").connect()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_url(redis_url: str, certificate: tuple[Path, Path]) -> Iterator[str]:
    """The session's Redis behind TLS."""
    url = urlsplit(redis_url)
    with tls_front((url.hostname or "", url.port or 0), certificate) as port:
        yield f"rediss://:{url.password}@127.0.0.1:{port}/0"


def test_tls_works_with_the_ca_of_the_settings(tls_url: str, certificate: tuple[Path, Path]) -> None:
    opened = client(tls_url, redis_ssl_ca_certs=certificate[0])
    assert opened.health_check().ok
    opened.disconnect()


def test_a_certificate_of_an_unknown_ca_is_refused(tls_url: str) -> None:
    message = failure(tls_url)
    assert "TLS handshake failed" in message
    assert "REDIS_SSL_CA_CERTS" in message


def test_a_missing_ca_file_is_a_wrong_setting(tls_url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"REDIS_SSL_CA_CERTS='.*no\.pem' is not a readable file"):
        client(tls_url, redis_ssl_ca_certs=tmp_path / "no.pem").connect()


def test_plain_talk_to_a_tls_server_suggests_rediss(tls_url: str) -> None:
    assert "use rediss://" in failure(tls_url.replace("rediss://", "redis://"))


def test_tls_talk_to_a_plain_server_is_a_failed_handshake(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "qa_queue.redis.client.CONNECT_TIMEOUT_S", 0.2
    )  # Redis waits for more of what it takes for a command
    assert "TLS handshake failed" in failure(redis_url.replace("redis://", "rediss://"))
