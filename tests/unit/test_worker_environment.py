"""Redis of a worker that RQ's command line starts, and of its child."""

from __future__ import annotations

import pytest
from redis import Redis

from qa_queue.errors import SettingsError
from qa_queue.redis.rq_options import rq_url
from qa_queue.redis.servers import main_server
from qa_queue.settings import Settings
from qa_queue.worker.child import load_factory
from qa_queue.worker.environment import is_rq_command, url_of


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://:p%40ss@host:1234/5",
        "redis://ann:p%3A%2F@host:6379/0",
        "rediss://:x@host:6380/1",
        "redis://[::1]:6379/0",
    ],
)
def test_the_url_of_a_connection(url):
    """With user, password, TLS and database."""
    assert url_of(Redis.from_url(url)) == url


def test_the_url_of_a_socket():
    """With the database."""
    assert url_of(Redis.from_url("unix:///run/redis.sock?db=3")) == "unix:///run/redis.sock?db=3"


def test_the_url_names_the_files_of_tls(tmp_path):
    """RQ's command line has no other place for them."""
    files = {f"redis_ssl_{name}": tmp_path / f"{name}.pem" for name in ("ca_certs", "certfile", "keyfile")}
    for file in files.values():
        file.touch()
    url = rq_url(main_server(Settings(_env_file=None, redis_url="rediss://host:1/0", **files)))
    options = Redis.from_url(url).connection_pool.connection_kwargs
    assert {name: options[name.removeprefix("redis_")] for name in files} == {n: str(f) for n, f in files.items()}


def test_without_tls_the_url_is_unchanged():
    """Even if a CA file is set."""
    settings = Settings(_env_file=None, redis_url="redis://host:1/0", redis_ssl_ca_certs="/etc/ca.pem")
    assert rq_url(main_server(settings)) == "redis://host:1/0"


@pytest.mark.parametrize(
    ("program", "is_rq"),
    [
        ("/venv/bin/rq", True),
        ("rq.exe", True),
        ("/venv/rq/cli/__main__.py", True),
        ("/bin/pytest", False),
        ("", False),
    ],
)
def test_only_rqs_own_command_is_recognized(program, is_rq):
    """An import changes no other program's environment."""
    assert is_rq_command([program]) is is_rq


@pytest.mark.parametrize("path", ["no.such.module:Runtime", "qa_queue.models:Nothing"])
def test_a_runtime_that_cannot_be_imported_is_refused(path):
    """The message has the setting."""
    with pytest.raises(SettingsError, match=f"QA_RUNTIME={path} cannot be loaded"):
        load_factory(path)
