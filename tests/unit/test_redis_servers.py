"""Which Redis the settings name, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ClusterCrossSlotError, ConnectionError, MovedError, ResponseError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from qa_queue.errors import InputError, SettingsError
from qa_queue.redis import MainRedis, address_of, by_server, connection_of, explain, explain_among
from qa_queue.redis.pools import ReplicaError, leaving, pool_of
from qa_queue.redis.servers import main_server, server_for_all, server_of
from qa_queue.settings import Settings, load_settings, on_redis

SENTINELS = {"redis_sentinels": "one:1,two", "redis_sentinel_master": "shop"}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env`."""
    monkeypatch.chdir(tmp_path)


def settings(**given: object) -> Settings:
    return load_settings(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"redis_sentinels": "one:1"}, "REDIS_SENTINEL_MASTER is not: set it to the name of the master"),
        ({"redis_sentinel_master": "shop"}, "REDIS_SENTINELS is not: it should be host:port"),
        ({"redis_sentinel_password": "p"}, "REDIS_SENTINEL_PASSWORD is set and REDIS_SENTINELS is not"),
        ({**SENTINELS, "redis_sentinels": "one:x"}, "'one:x', which is not host:port"),
        ({**SENTINELS, "redis_sentinels": "redis://one"}, "which is not host:port"),
        ({**SENTINELS, "redis_sentinels": " , "}, "names no host"),
        ({"redis_ssl_keyfile": "key.pem"}, "REDIS_SSL_CERTFILE is not: set it to the client certificate"),
    ],
)
def test_half_a_configuration_is_refused_with_the_other_half(given: dict[str, object], words: str) -> None:
    """At the start, and not when somebody connects."""
    with pytest.raises(SettingsError) as refused:
        settings(**given)
    assert words in str(refused.value)


@pytest.mark.parametrize("url", ["redis://qa:Sup3rSecret#1@host", "redis://qa:Sup3rSecret/1@host", "Sup3rSecret"])
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    """And with the way to write one that holds signs of a URL."""
    server = main_server(settings(redis_url=url))
    with pytest.raises(SettingsError) as refused:
        pool_of(server, max_connections=1, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    message = str(refused.value)
    assert message.startswith("REDIS_URL is not a Redis URL. Set it to redis://HOST:PORT/DB")
    assert "%23" in message
    assert "Sup3r" not in message


@pytest.mark.parametrize("hosts", ["qa:Sup3rSecret@one:1", "redis://qa:Sup3rSecret@one:1", "qa:Sup3r,x@one:1"])
def test_a_login_in_the_list_of_sentinels_is_refused_without_showing_it(hosts: str) -> None:
    """It has a setting of its own."""
    with pytest.raises(SettingsError) as refused:
        settings(**{**SENTINELS, "redis_sentinels": hosts})
    assert "REDIS_SENTINELS holds a login, which belongs in REDIS_SENTINEL_USERNAME" in str(refused.value)
    assert "Sup3r" not in str(refused.value)


def test_sentinels_win_over_the_url_and_take_login_and_database_of_the_parts() -> None:
    """Port 26379 where none is given."""
    server = main_server(
        settings(**SENTINELS, redis_url="redis://other", redis_password="p", redis_db=2, redis_ssl=True)
    )
    assert server.sentinels is not None
    assert server.sentinels.hosts == (("one", 1), ("two", 26379))
    assert server.sentinels.master == "shop"
    assert server.secure
    pool = pool_of(server, max_connections=1, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    assert (pool.connection_kwargs["password"], pool.connection_kwargs["db"]) == ("p", 2)
    assert "p@" not in repr(server)


def test_another_redis_replaces_sentinels_too() -> None:
    """A child process uses the Redis of its worker, whatever the environment says."""
    changed = on_redis(settings(**SENTINELS), "redis://other")
    assert main_server(changed).url == "redis://other"
    assert main_server(changed).sentinels is None


@pytest.mark.parametrize("queue", ["cleanup", "settle-ment"])
def test_a_queue_may_have_a_redis_of_its_own(queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own queues and those that packages add."""
    name = f"REDIS_URL_{queue.upper().replace('-', '_')}"
    monkeypatch.setenv(name, "redis://own")
    found = settings()
    assert (server_of(found, queue).url, server_of(found, queue).setting) == ("redis://own", name)
    assert server_of(found, "test-execution") == main_server(found)


def test_a_worker_of_queues_on_different_servers_learns_how_to_split() -> None:
    """One worker, one Redis."""
    found = settings(redis_url_cleanup="redis://own", redis_url_adaptation_learning="redis://own")
    assert server_for_all(found, ["cleanup", "adaptation-learning"]).url == "redis://own"
    with pytest.raises(InputError) as refused:
        server_for_all(found, ["test-execution", "cleanup", "adaptation-learning"])
    assert "`qa-queue worker test-execution` and `qa-queue worker cleanup adaptation-learning`" in str(
        refused.value
    )
    assert "REDIS_URL_CLEANUP" in str(refused.value)


def test_queues_are_grouped_by_their_server() -> None:
    """One round trip for each server; a plain connection is that of all queues."""
    own = Redis()
    main = MainRedis(find=lambda queue: own if queue == "cleanup" else None)
    assert connection_of(main, "cleanup") is own
    assert connection_of(own, "test-execution") is own
    assert by_server(main, ["a", "cleanup", "b"]) == [(main, ["a", "b"]), (own, ["cleanup"])]
    assert by_server(own, ["a", "cleanup"]) == [(own, ["a", "cleanup"])]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ReplicaError("x"), "read-only replica. Wait for the end of a failover, or set REDIS_URL_X to the master"),
        (ResponseError("OOM command not allowed when used memory > 'maxmemory'."), "Raise its `maxmemory`"),
        (ResponseError("MISCONF Errors writing to the AOF file: No space left on device"), "cannot save its data"),
        (ClusterCrossSlotError("Keys in request don't hash to the same slot"), "Redis without cluster mode"),
        (MovedError("3999 127.0.0.1:6381"), "Set REDIS_URL_X to a Redis without cluster mode"),
        (
            ResponseError("The user executing the script can't run this command"),
            "docs/how-to-redis.md has the rights",
        ),
        (MasterNotFoundError("no Sentinel answers at one:1"), "no Sentinel answers at one:1."),
        (ConnectionError("tlsv13 alert certificate required"), "REDIS_SSL_CERTFILE and REDIS_SSL_KEYFILE"),
        (ConnectionError("[SSL: KEY_VALUES_MISMATCH]"), "do not belong together"),
    ],
)
def test_what_failed_is_reported_with_what_to_do(error: Exception, words: str) -> None:
    """By the setting that names the server."""
    message = explain(error, "host:1/0", "REDIS_URL_X")
    assert message.startswith("Redis at host:1/0 cannot be used: ")
    assert words in message


def test_the_address_behind_sentinels_names_them_and_the_master() -> None:
    """No password."""
    server = main_server(settings(**SENTINELS, redis_password="hunter2", redis_sentinel_password="hunter3"))
    pool = pool_of(server, max_connections=1, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    assert address_of(Redis(connection_pool=pool)) == "the master 'shop'/0 of the Sentinels one:1, two:26379"


@pytest.mark.parametrize(
    ("answer", "leaves"),
    [
        ("READONLY You can't write against a read only replica.", True),
        ("Error running script (call to f_1): @user_script:3: -READONLY You can't write", True),
        ("MASTERDOWN Link with MASTER is down", True),
        ("WRONGTYPE Operation against a key", False),
    ],
)
def test_a_connection_leaves_a_replica(answer: str, leaves: bool) -> None:
    """So that the next one finds the master; any other answer is what it is."""
    closed: list[bool] = []

    class Answers:
        def read_response(self) -> None:
            raise ResponseError(answer)

        def disconnect(self) -> None:
            closed.append(True)

    with pytest.raises(ReplicaError if leaves else ResponseError):
        leaving(Answers)().read_response()  # type: ignore[arg-type] # what of a connection matters here
    assert closed == [True] * leaves


def test_of_several_servers_the_one_that_is_unavailable_is_named() -> None:
    """An error alone does not say where it came from."""
    away = Redis(port=1)
    main = MainRedis(find=lambda queue: away if queue == "cleanup" else None, port=2)
    message = explain_among(ConnectionError("gone"), main, ["cleanup"])
    assert message.startswith("Redis at localhost:1/0 cannot be used: nothing listens there")
    assert "set REDIS_URL_CLEANUP to a Redis that runs" in message
    assert explain_among(ConnectionError("gone"), away, ["cleanup"]).startswith("Redis at localhost:1/0")
