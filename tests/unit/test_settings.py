"""The sources of settings, the values that are refused, and the messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.errors import InputError, SettingsError
from qa_queue.settings import (
    Secret,
    Settings,
    child_environment,
    load_settings,
    read_every_secret,
    read_secrets,
    read_variables,
    with_overrides,
)
from qa_queue.settings.reference import ROOT, allowed, dotenv_example, reference


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test starts in a folder without `.env`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "allowed_words"),
    [
        ("REDIS_PORT", "70000", "1 to 65535"),
        ("REDIS_PORT", "six", "a whole number"),
        ("REDIS_DB", "-1", "at least 0"),
        ("QUEUE_CONCURRENCY", "0", "1 to 64"),
        ("QUEUE_MAX_ATTEMPTS", "26", "1 to 25"),
        ("LOG_LEVEL", "LOUD", "ERROR, WARN, INFO, DEBUG"),
        ("LOG_FORMAT", "xml", "text, json"),
        ("QA_KEEP_DAYS", "-3", "at least 0"),
        ("QA_KEEP_EVIDENCE_DAYS", "film=3", "screenshot, trace, console, video"),
        ("QA_KEEP_EVIDENCE_MB", "trace=many", "KIND=NUMBER"),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_what_is_allowed(
    name: str, value: str, allowed_words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message alone is enough to correct the setting."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert message.startswith(f"{name}: ")
    assert value in message
    assert allowed_words in message
    assert ".env" in message


def test_all_wrong_values_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start shows every mistake, a line each."""
    monkeypatch.setenv("REDIS_PORT", "0")
    monkeypatch.setenv("LOG_LEVEL", "x")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == ["REDIS_PORT", "LOG_LEVEL"]


@pytest.mark.parametrize("name", ["redis_password", "supabase_secret_key", "qa_dashboard_password"])
def test_the_value_of_a_secret_is_never_shown(name: str) -> None:
    """Neither a refused secret nor the printed settings give it away."""
    with pytest.raises(SettingsError) as refused:
        load_settings(**{name: ["hunter2"]})
    assert "hunter2" not in str(refused.value)
    assert "(hidden)" in str(refused.value)
    assert "hunter2" not in repr(load_settings(**{name: "hunter2"}))


def test_the_environment_wins_over_dotenv_and_dotenv_over_a_running_stack(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three sources, one order."""
    (empty_folder / ".qa").mkdir()
    stack = "REDIS_HOST=stack\nREDIS_USERNAME=stack\nSUPABASE_URL=stack\n"
    (empty_folder / ".qa" / "stack.env").write_text(stack)
    (empty_folder / ".env").write_text("REDIS_HOST=dotenv\nREDIS_USERNAME=dotenv\n")
    monkeypatch.setenv("REDIS_HOST", "process")
    settings = load_settings()
    assert (settings.redis_host, settings.redis_username, settings.supabase_url) == ("process", "dotenv", "stack")


@pytest.mark.parametrize("how", ["environment", "dotenv", "override"])
def test_a_running_stack_is_found_in_the_home_folder_however_it_is_named(
    how: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QA_HOME moves `stack.env` along."""
    home = empty_folder / "elsewhere"
    home.mkdir()
    (home / "stack.env").write_text("SUPABASE_URL=http://found\n")
    if how == "environment":
        monkeypatch.setenv("QA_HOME", str(home))
    if how == "dotenv":
        (empty_folder / ".env").write_text(f"QA_HOME={home}\n")
    settings = load_settings(**({"qa_home": home} if how == "override" else {}))
    assert settings.supabase_url == "http://found"


def test_an_empty_value_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that a CI system sets to nothing leaves the default."""
    monkeypatch.setenv("REDIS_PORT", "")
    assert load_settings().redis_port == 6379


def test_the_level_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """`debug` is DEBUG."""
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert load_settings().log_level == "DEBUG"


def test_the_old_name_of_the_secret_key_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """SUPABASE_SERVICE_ROLE_KEY is what older projects have."""
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "old")
    key = load_settings().supabase_secret_key
    assert key is not None
    assert key.get_secret_value() == "old"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "redis://127.0.0.1:6379/0"),
        ({"redis_host": "h", "redis_port": 7000, "redis_db": 2}, "redis://h:7000/2"),
        ({"redis_password": "p@ss/1"}, "redis://:p%40ss%2F1@127.0.0.1:6379/0"),
        ({"redis_password": "p", "redis_username": "u:1"}, "redis://u%3A1:p@127.0.0.1:6379/0"),
        ({"redis_url": "rediss://x:1", "redis_host": "h"}, "rediss://x:1"),
    ],
)
def test_the_url_of_redis_wins_and_is_else_built_from_the_parts(given: dict[str, object], url: str) -> None:
    """Signs that mean something in an URL are escaped in the login."""
    assert load_settings(**given).redis_dsn == url


def test_a_changed_copy_works_out_its_url_anew() -> None:
    """The URL is worked out once an object, so a copy must not carry the old one along."""
    before = load_settings(queue_concurrency=4)
    assert before.redis_dsn == "redis://127.0.0.1:6379/0"
    after = with_overrides(before, redis_url="redis://new:1/0")
    assert (after.redis_dsn, after.queue_concurrency) == ("redis://new:1/0", 4)


def test_cases_get_variables_and_secrets_but_no_settings_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload travels through Redis, so a setting of the service must not get into one."""
    monkeypatch.setenv("SHOP_URL", "http://shop")
    monkeypatch.setenv("QA_SECRET_PIN", "1234")
    assert read_variables(frozenset({"SHOP_URL", "NOT_SET"})) == {"SHOP_URL": "http://shop"}
    monkeypatch.setenv("QA_SECRET_CARD", "4711")
    monkeypatch.setenv("QA_SECRET_CARD_HOSTS", "shop.example")
    found = read_secrets(frozenset({"PIN", "CARD", "CARD_HOSTS", "NOT_SET"}))
    assert found == {"PIN": Secret("1234"), "CARD": Secret("4711", "shop.example")}
    assert "1234" not in repr(found)
    assert read_every_secret() == {"PIN": "1234", "CARD": "4711"}
    with pytest.raises(InputError, match="QA_SECRET_PIN"):
        read_variables(frozenset({"QA_SECRET_PIN"}))


def test_children_get_our_environment_and_the_additions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Additions win."""
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("CHANGED", "1")
    child = child_environment({"CHANGED": "2"})
    assert (child["KEPT"], child["CHANGED"]) == ("1", "2")


def test_the_reference_and_the_example_are_up_to_date() -> None:
    """`python -m qa_queue.settings.reference` fixes a failure."""
    assert (ROOT / "docs" / "settings.md").read_text() == reference()
    assert (ROOT / ".env.example").read_text() == dotenv_example()


def test_the_example_names_every_setting_and_its_defaults_are_allowed(empty_folder: Path) -> None:
    """Uncommented as it stands, `.env.example` changes nothing."""
    lines = [line.removeprefix("# ") for line in dotenv_example().splitlines()]
    assigned = [line for line in lines if line.partition("=")[0].isupper()]
    (empty_folder / ".env").write_text("\n".join(assigned))
    assert {line.partition("=")[0].lower() for line in assigned} >= set(Settings.model_fields)
    assert load_settings().model_dump() == Settings(_env_file=None).model_dump()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number, at least 1, at most 9"),
        ({"type": "number", "exclusiveMinimum": 0}, "a number, more than 0"),
        ({"type": "string", "enum": ["a", "b"]}, "one of `a`, `b`"),
        ({"type": "string", "format": "password"}, "text, kept secret"),
        ({"type": "string"}, "text"),
    ],
)
def test_what_is_allowed_is_put_into_words(schema: dict[str, object], words: str) -> None:
    """From JSON Schema to what a person reads."""
    assert allowed(schema) == words


def test_a_worker_runs_a_job_for_each_core_and_at_least_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default and with `auto`; a number is taken as it is."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert load_settings().queue_concurrency == load_settings(queue_concurrency="auto").queue_concurrency == 6
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert load_settings().queue_concurrency == 2
    monkeypatch.setenv("QUEUE_CONCURRENCY", "1")
    assert load_settings().queue_concurrency == 1
