"""The cost of the queue beside bare RQ, on a Redis of its own; prints ratios and writes benchmarks/out/queue.json.

Both sides are measured in turns within one run, so that whatever else the machine does falls on both alike. (This
file cannot be called queue.py: started as a program, it would stand before Python's own module of that name.)
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from qa_queue.local.redis import start_redis
from qa_queue.models import QueueName, TestJobData
from qa_queue.queues import JobSpec, QueueManager
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.settings import Settings

OUT = Path(__file__).parent / "out" / "queue.json"
SINGLE, ROUNDS, BULK, WAITING, DEAD = 500, 7, 1000, 10_000, 5000
FUNCTION = "processors.entry.execute_run"
CASE = {
    "version": 1,
    "name": "Log in",
    "base_url": "http://shop.test",
    "steps": [
        {"goto": "/"},
        {"fill": {"label": "E-mail", "value": "ann@shop.test"}},
        {"click": {"role": "button"}},
    ],
}


def main() -> None:
    """Measure, print, write."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_redis(Path(folder)) as server,
        Redis.from_url(server.url) as connection,
    ):
        figures = measure(connection)
    for name, value in figures.items():
        print(f"{name:<34} {value:10.3f}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")


def measure(connection: Redis) -> dict[str, float]:
    """Every figure by name; `_ms` are medians, ratios are ours to bare RQ's."""
    queues = QueueManager(connection, Settings(_env_file=None))
    bare = Queue("bare", connection=connection, serializer=JSONSerializer)
    figures = single(queues, bare) | bulk(queues, bare)
    connection.flushdb()
    figures["stats_of_none_ms"] = median(queues.get_queue_stats, 200)
    for _ in range(WAITING // BULK):
        queues.add(QueueName.TEST_EXECUTION, [spec() for _ in range(BULK)])
    figures["stats_of_10000_waiting_ms"] = median(queues.get_queue_stats, 200)
    figures["enqueue_behind_10000_ms"] = median(lambda: queues.add_test_job(data()), 200)
    letters = DeadLetters(connection)
    for number in (100, DEAD):
        die(connection, number)
        figures[f"ten_dead_letters_of_{number}_ms"] = median(letters.list, 200)
    return figures


def single(queues: QueueManager, bare: Queue) -> dict[str, float]:
    """One job after the other."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(SINGLE):
        payload, document = data(), data().model_dump(mode="json")
        theirs.append(timed(lambda document=document: bare.enqueue(FUNCTION, kwargs={"data": document})))
        ours.append(timed(lambda payload=payload: queues.add_test_job(payload)))
    mine, other = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    return {"enqueue_ms": mine, "bare_enqueue_ms": other, "enqueue_ratio": mine / other}


def bulk(queues: QueueManager, bare: Queue) -> dict[str, float]:
    """A thousand in one call."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        jobs = [
            Queue.prepare_data(FUNCTION, kwargs={"data": data().model_dump(mode="json")}, job_id=str(uuid4()))
            for _ in range(BULK)
        ]
        specs = [spec() for _ in range(BULK)]
        theirs.append(timed(lambda jobs=jobs: bare.enqueue_many(jobs)))
        ours.append(timed(lambda specs=specs: queues.add(QueueName.TEST_EXECUTION, specs)))
        bare.connection.flushdb()
    mine, other = BULK / statistics.median(ours), BULK / statistics.median(theirs)
    return {"bulk_per_s": mine, "bare_enqueue_many_per_s": other, "bulk_ratio": mine / other}


def data() -> TestJobData:
    """A payload with a case in it."""
    return TestJobData(test_case_id=str(uuid4()), test_run_id=str(uuid4()), case=CASE)


def spec() -> JobSpec:
    """A run to enqueue."""
    payload = data()
    return JobSpec(job_id=payload.test_run_id, data=payload, name="Log in")


def die(connection: Redis, number: int) -> None:
    """Make this number of dead letters, as RQ leaves them."""
    now = int(time.time())
    queue = Queue(QueueName.TEST_EXECUTION, connection=connection, serializer=JSONSerializer)
    pipeline = connection.pipeline()
    for at in range(number):
        job = queue.create_job(FUNCTION, kwargs={"data": data().model_dump(mode="json")}, status="failed")
        job.save(pipeline=pipeline)
        pipeline.zadd(queue.failed_job_registry.key, {job.id: now + 3600 + at})
    pipeline.execute()


def median(call: Callable[[], object], times: int) -> float:
    """The median time of a call, in ms."""
    return statistics.median(timed(call) for _ in range(times)) * 1000


def timed(call: Callable[[], object]) -> float:
    """Return how long a call takes, in s."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
