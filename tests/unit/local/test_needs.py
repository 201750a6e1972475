"""The parts that the stack starts because the settings do not name them."""

from __future__ import annotations

import pytest

from qa_queue.local.stack import Needs, needs, redis_variables, supabase_variables
from qa_queue.settings import Settings

PROJECT = {"supabase_url": "https://p.supabase.co", "supabase_secret_key": "k"}
SENTINELS = {"redis_sentinels": "h:1", "redis_sentinel_master": "m"}


def make_settings(**given: object) -> Settings:
    """Settings with only these values: no file is read."""
    return Settings(_env_file=None, **given)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, Needs(redis=True, supabase=True)),
        ({"redis_url": "redis://h:1"}, Needs(redis=False, supabase=True)),
        ({"redis_host": "h"}, Needs(redis=False, supabase=True)),
        ({"redis_port": 6379}, Needs(redis=False, supabase=True)),
        ({"redis_db": 3}, Needs(redis=True, supabase=True)),
        (SENTINELS, Needs(redis=False, supabase=True)),
        (PROJECT, Needs(redis=True, supabase=False)),
        ({"redis_url": "redis://h:1", **PROJECT}, Needs(redis=False, supabase=False)),
    ],
)
def test_a_configured_part_is_not_started(given: dict[str, object], wanted: Needs) -> None:
    """The address of a Redis or the URL of a project is used as it is."""
    assert needs(make_settings(**given), stale={}) == wanted


def test_an_address_that_only_a_killed_stack_left_does_not_count() -> None:
    """The servers of that stack ended with it."""
    stale = {"REDIS_URL": "redis://127.0.0.1:2", "SUPABASE_URL": "http://127.0.0.1:3"}
    read_from_it = make_settings(redis_url="redis://127.0.0.1:2", supabase_url="http://127.0.0.1:3")
    assert needs(read_from_it, stale) == Needs(redis=True, supabase=True)
    configured = make_settings(redis_url="redis://other:2", supabase_url="http://127.0.0.1:3")
    assert needs(configured, stale) == Needs(redis=False, supabase=True)
    behind_sentinels = make_settings(redis_url="redis://127.0.0.1:2", supabase_url="http://h", **SENTINELS)
    assert needs(behind_sentinels, stale) == Needs(redis=False, supabase=False)


def test_children_get_both_names_of_redis_and_no_empty_values() -> None:
    """RQ's own commands read RQ_REDIS_URL."""
    assert redis_variables(make_settings(redis_host="h")) == {
        "REDIS_URL": "redis://h:6379/0",
        "RQ_REDIS_URL": "redis://h:6379/0",
    }
    assert redis_variables(make_settings(**SENTINELS)) == {}  # they find it through the settings
    assert supabase_variables(make_settings()) == {}
    assert supabase_variables(make_settings(**PROJECT)) == {
        "SUPABASE_URL": "https://p.supabase.co",
        "SUPABASE_SECRET_KEY": "k",
    }
