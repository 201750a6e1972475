"""Progress through a real Redis: written once, seen by all, however late they come."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.models import RunStatus, StepData, StepStatus
from qa_queue.progress import KEEP_S, ProgressReader, ProgressWriter, stream_key
from tests.support.poll import wait_until
from tests.support.queueing import add, final, report


def meta(connection: Redis, job_id: str) -> dict[str, Any]:
    return Job.fetch(job_id, connection=connection, serializer=JSONSerializer).meta


def write(connection: Redis, *reports: Any) -> None:
    writer = ProgressWriter(connection)
    for progress in reports:
        writer.write(progress.test_run_id, progress)


@pytest.fixture
def dead_redis() -> Iterator[Redis]:
    """A Redis that no one serves."""
    with Redis(port=1, retry=Retry(NoBackoff(), 0)) as connection:
        yield connection


def test_a_late_follower_sees_every_report_in_order(redis_db: Redis) -> None:
    reports = [report("r", n) for n in range(4)]
    write(redis_db, *reports, final("r"))
    seen = [event.progress for event in ProgressReader(redis_db).follow("r", timeout=5)]
    assert seen == [*reports, final("r")]


def test_following_goes_on_from_an_id(redis_db: Redis) -> None:
    write(redis_db, *(report("r", n) for n in range(4)), final("r"))
    reader = ProgressReader(redis_db)
    first = list(islice(reader.follow("r", timeout=5), 2))
    rest = [event.progress.current_step for event in reader.follow("r", from_id=first[-1].id, timeout=5)]
    assert rest == [2, 3, 4]


def test_a_follower_who_came_first_gets_reports_as_they_come(redis_db: Redis, redis_url: str) -> None:
    seen: list[int] = []

    def follow() -> None:
        with Redis.from_url(redis_url) as connection:
            seen.extend(event.progress.current_step for event in ProgressReader(connection).follow("r", timeout=20))

    thread = threading.Thread(target=follow)
    thread.start()
    wait_until(lambda: redis_db.info("clients")["blocked_clients"], what="a waiting follower")
    write(redis_db, report("r", 1), report("r", 2), final("r"))
    thread.join(20)
    assert seen == [1, 2, 4]


def test_following_ends_with_the_timeout(redis_db: Redis) -> None:
    write(redis_db, report("r", 1))
    seen = [event.progress.current_step for event in ProgressReader(redis_db).follow("r", timeout=0.05)]
    assert seen == [1]


def test_a_timeout_of_zero_reads_what_is_there(redis_db: Redis) -> None:
    write(redis_db, report("r", 1), report("r", 2))
    assert len(list(ProgressReader(redis_db).follow("r", timeout=0))) == 2


@pytest.mark.parametrize("status", [status for status in RunStatus if status.final])
def test_every_final_status_ends_the_following(redis_db: Redis, status: RunStatus) -> None:
    write(redis_db, final("r", status), report("r", 1))
    assert [event.progress.status for event in ProgressReader(redis_db).follow("r", timeout=5)] == [status]


def test_many_runs_are_followed_until_all_have_ended(redis_db: Redis) -> None:
    write(redis_db, report("a", 1), report("b", 1), final("b"), report("a", 2), final("a"))
    events = list(ProgressReader(redis_db).follow_many(["a", "b"], timeout=5))
    for run_id, steps in {"a": [1, 2, 4], "b": [1, 4]}.items():
        assert [e.progress.current_step for e in events if e.progress.test_run_id == run_id] == steps


def test_each_of_many_runs_goes_on_from_its_own_id(redis_db: Redis) -> None:
    write(redis_db, report("a", 1), report("b", 1))
    reader = ProgressReader(redis_db)
    last = {event.progress.test_run_id: event.id for event in reader.follow_many(["a", "b"], timeout=0)}
    write(redis_db, final("a"), final("b"))
    events = reader.follow_many(last, timeout=5)
    assert sorted((e.progress.test_run_id, e.progress.current_step) for e in events) == [("a", 4), ("b", 4)]


def test_following_no_runs_ends_at_once(redis_db: Redis) -> None:
    assert list(ProgressReader(redis_db).follow_many([])) == []


def test_the_latest_report_of_each_run_that_has_one(redis_db: Redis) -> None:
    write(redis_db, report("a", 1), report("a", 2), final("b"))
    assert ProgressReader(redis_db).latest(["a", "b", "silent"]) == {"a": report("a", 2), "b": final("b")}


def test_more_reports_than_one_page_are_all_seen(redis_db: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa_queue.progress.events.PAGE", 2)
    write(redis_db, *(report("r", n % 5) for n in range(7)), final("r"))
    assert len(list(ProgressReader(redis_db).follow("r", timeout=5))) == 8


def test_a_report_stands_in_the_job_s_meta_beside_what_was_there(redis_db: Redis) -> None:
    add(redis_db, "r")
    step = StepData(action="click", status=StepStatus.FAILED, duration=12, error='found <b id="x">')
    write(redis_db, report("r", 2, message="Click Sign in", step_data=step))
    assert meta(redis_db, "r")["priority"] == "normal"
    assert meta(redis_db, "r")["progress"] == {
        "status": "running",
        "step": "2/4",
        "percentage": 50,
        "message": "Click Sign in",
        "action": "click",
        "error": "found &lt;b id=&quot;x&quot;&gt;",
    }


def test_the_stream_has_the_text_as_it_is(redis_db: Redis) -> None:
    write(redis_db, report("r", message="<b> & \u2713"))
    assert ProgressReader(redis_db).latest(["r"])["r"].message == "<b> & \u2713"


def test_a_job_that_is_gone_gets_no_hash_back(redis_db: Redis) -> None:
    """RQ could not read such a hash, and its workers end on one."""
    write(redis_db, report("r"))
    assert not redis_db.exists("rq:job:r")
    assert redis_db.xlen(stream_key("r")) == 1


@pytest.mark.parametrize("unreadable", [b"not json", b"7", b""])
def test_meta_that_is_not_json_object_is_replaced(redis_db: Redis, unreadable: bytes) -> None:
    add(redis_db, "r")
    redis_db.hset("rq:job:r", "meta", unreadable)
    write(redis_db, report("r"))
    assert list(meta(redis_db, "r")) == ["progress"]


def test_the_stream_is_kept_a_day_after_the_last_report(redis_db: Redis) -> None:
    write(redis_db, report("r"))
    redis_db.expire(stream_key("r"), 60)
    write(redis_db, report("r", 2))
    assert KEEP_S - 60 < redis_db.ttl(stream_key("r")) <= KEEP_S


def test_a_run_s_stream_does_not_grow_forever(redis_db: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa_queue.progress.events.MAX_REPORTS", 100)
    write(redis_db, *(report("r") for _ in range(400)))
    assert redis_db.xlen(stream_key("r")) <= 200  # Redis drops whole blocks of 100


def test_a_report_is_one_command(redis_db: Redis) -> None:
    writer = ProgressWriter(redis_db)
    writer.write("r", report("r"))  # the first one brings the script along
    calls = _script_calls(redis_db)
    writer.write("r", report("r"))
    assert _script_calls(redis_db) == calls + 1


def _script_calls(connection: Redis) -> int:
    return int(connection.info("commandstats")["cmdstat_evalsha"]["calls"])


def test_redis_failing_is_said_once_and_the_run_goes_on(
    dead_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    writer = ProgressWriter(dead_redis)
    with caplog.at_level(logging.WARNING):
        for step in range(4):
            writer.write("r", report("r", step))
        writer.write("r", final("r"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "The run continues" in caplog.text


def test_after_redis_came_back_reports_are_written_and_the_next_failure_is_said_again(
    redis_db: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa_queue.progress.events.QUIET_S", 0)
    add(redis_db, "r")
    writer = ProgressWriter(redis_db)
    for outage in (1, 2):
        redis_db.set(stream_key("r"), "no stream")  # Redis refuses the report
        writer.write("r", report("r"))
        assert len(caplog.records) == outage
        redis_db.delete(stream_key("r"))
        writer.write("r", report("r"))
        assert redis_db.xlen(stream_key("r")) == 1
        redis_db.delete(stream_key("r"))


def test_finish_ends_a_run_that_has_no_processor_with_the_counts_so_far(redis_db: Redis) -> None:
    write(redis_db, report("r", 2, message="Click"))
    ProgressWriter(redis_db).finish("r", RunStatus.DEAD, "The browser crashed three times")
    last = ProgressReader(redis_db).latest(["r"])["r"]
    assert last == report("r", 2, status=RunStatus.DEAD, message="The browser crashed three times")


def test_finish_ends_a_run_that_never_said_anything(redis_db: Redis) -> None:
    ProgressWriter(redis_db).finish("r", RunStatus.CANCELLED, "Cancelled")
    last = list(ProgressReader(redis_db).follow("r", timeout=5))[-1].progress
    assert (last.status, last.total_steps, last.message) == (RunStatus.CANCELLED, 0, "Cancelled")


def test_finish_leaves_a_run_that_has_ended_as_it_is(redis_db: Redis) -> None:
    write(redis_db, final("r", RunStatus.FAILED))
    ProgressWriter(redis_db).finish("r", RunStatus.DEAD, "too late")
    assert redis_db.xlen(stream_key("r")) == 1


def test_finish_never_raises_for_a_redis_that_fails(dead_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    ProgressWriter(dead_redis).finish("r", RunStatus.DEAD, "gone")
    assert "Progress of run r" in caplog.text


def test_reports_are_plain_json_for_other_languages(redis_db: Redis) -> None:
    write(redis_db, report("r", 3))
    fields = redis_db.xrange(stream_key("r"))[0][1]
    document = json.loads(fields[b"event"])
    assert (document["test_run_id"], document["current_step"], document["status"]) == ("r", 3, "running")
