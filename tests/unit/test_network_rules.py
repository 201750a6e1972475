"""The operator's rules for the traffic of runs, from the settings."""

from __future__ import annotations

import pytest

from processors.execution.network import egress_policy, own_urls
from qa_queue.errors import SettingsError
from qa_queue.settings import Settings


def settings(**fields: object) -> Settings:
    return Settings(_env_file=None, **fields)


def test_every_part_of_the_service_is_its_own() -> None:
    """Redis of each queue, Supabase and its database, the pages, rq-dashboard and the store of evidence."""
    urls = own_urls(
        settings(
            redis_url="redis://main:1",
            redis_url_cleanup="redis://cleanup:2",
            supabase_url="http://store:3",
            supabase_db_url="postgresql://postgres:pass@db:4/postgres",
            qa_s3_endpoint="http://evidence:5",
            qa_web_port=8601,
            qa_web_hosts="qa.example",
        )
    )
    assert {"redis://main:1", "redis://cleanup:2", "http://store:3", "http://evidence:5"} <= set(urls)
    assert {"postgresql://postgres:pass@db:4/postgres", "http://127.0.0.1:8601", "http://127.0.0.1:9181"} <= set(
        urls
    )
    assert {"http://qa.example:8601", "http://qa.example", "https://qa.example"} <= set(urls)


def test_a_policy_of_settings() -> None:
    """Names of the service are looked up; without the proxy there is no policy."""
    policy = egress_policy(settings(redis_host="localhost", qa_egress_deny="10.0.0.0/8", qa_egress_private=False))
    assert policy is not None
    redis = next(one for one in policy.own if one.host == "localhost")
    assert "127.0.0.1" in map(str, redis.addresses)
    assert (policy.private, policy.layers[0].allow) == (False, None)
    assert egress_policy(settings(qa_egress_proxy=False)) is None


@pytest.mark.parametrize("name", ["qa_egress_allow", "qa_egress_deny"])
def test_a_list_that_cannot_be_read_names_its_setting(name: str) -> None:
    """A worker does not start with half a policy."""
    with pytest.raises(SettingsError, match=f"{name.upper()}: 'a/b' is not a host"):
        egress_policy(settings(**{name: "shop.example, a/b"}))
