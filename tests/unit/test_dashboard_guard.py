"""Which requests reach rq-dashboard."""

from __future__ import annotations

import pytest

from qa_queue.api.dashboard.guard import Login, refusal

OWN = {"X-Requested-With": "XMLHttpRequest", "Origin": "http://127.0.0.1:9181"}


def refused(**changes: object) -> int | None:
    request: dict = {
        "method": "GET",
        "endpoint": "rq_dashboard.queues_overview",
        "arguments": {},
        "headers": {},
        "host": "127.0.0.1:9181",
    }
    answer = refusal(**(request | changes))
    return answer[0] if answer else None


@pytest.mark.parametrize(
    ("user", "password", "fits"),
    [
        ("qa", "s3cret", True),
        ("qa", "s3creT", False),
        ("qb", "s3cret", False),
        ("qa", "", False),
        (None, None, False),
        ("qa", "s3cretä", False),
    ],
)
def test_only_the_user_with_the_password_comes_in(user, password, fits):
    """Whatever is given instead, missing or not ASCII."""
    assert Login(user="qa", password="s3cret").fits(user, password) is fits


def test_reading_is_free_and_changing_is_for_the_own_pages():
    """A GET passes; a POST needs the header that no other site can set, and no foreign origin."""
    assert refused() is None
    assert refused(method="POST", headers=OWN) is None
    assert refused(method="POST", headers={}) == 403
    assert refused(method="POST", headers=OWN | {"Origin": "http://evil.example"}) == 403


def test_requeue_all_takes_no_get():
    """Upstream answers GET: a link in a mail would put every failed job back."""
    assert refused(endpoint="rq_dashboard.requeue_all") == 405
    assert refused(endpoint="rq_dashboard.requeue_all", method="POST", headers=OWN) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"queue_name": "');alert(1)//"},
        {"job_id": "<script>"},
        {"registry_name": "secret"},
        {"instance_number": 1},
        {"order": "'"},
        {"per_page": "0"},
        {"page": "x"},
    ],
)
def test_what_is_not_a_name_is_not_a_page(arguments):
    """Names from the path end in scripts of the page."""
    assert refused(arguments=arguments) == 404


def test_names_of_queues_and_jobs_are_pages():
    """As they occur."""
    usual = {"queue_name": "test-execution", "registry_name": "failed", "instance_number": 0, "order": "asc"}
    assert refused(arguments=usual | {"per_page": 8, "page": "1"}) is None
    assert refused(arguments={"job_id": "5f6a0d3e-8d1f-4c55-9a0e-3f1d0f0a7c11"}) is None
    assert refused(arguments={"queue_name": None}) is None
