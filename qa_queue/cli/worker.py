"""`qa-queue worker`: a worker, or as many as there is work for."""

from __future__ import annotations

from typing import Annotated

import typer

from qa_queue.errors import InputError
from qa_queue.redis import RedisClient
from qa_queue.redis.servers import server_for_all
from qa_queue.settings import load_settings, with_overrides
from qa_queue.settings.logs import configure_logging
from qa_queue.worker.autoscaler import Autoscaler, WorkerBounds
from qa_queue.worker.child_health import MIB
from qa_queue.worker.worker import known_queues, serve

app = typer.Typer()


@app.command(rich_help_panel="Service")
def worker(
    queues: Annotated[
        list[str] | None, typer.Argument(metavar="[QUEUE]...", help="Without one, every queue.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "-c", min=1, max=64, help="Jobs at once in one process.")
    ] = None,
    autoscale: Annotated[
        str | None, typer.Option(metavar="MIN:MAX", help="Number of processes, adapted to the queue.")
    ] = None,
    memory: Annotated[
        int | None, typer.Option(min=1, metavar="MIB", help="With --autoscale: what they may hold together.")
    ] = None,
    burst: Annotated[bool, typer.Option("--burst", help="End when nothing is left to do.")] = False,
) -> None:
    """Do the jobs of the queues until told to stop (SIGTERM, Ctrl-C)."""
    settings = load_settings()
    if concurrency is not None:
        settings = with_overrides(settings, queue_concurrency=concurrency)
    if autoscale is None:
        serve(queues or (), settings, burst=burst)
        return
    if burst:
        raise InputError("--burst and --autoscale do not go together: leave one out.")
    bounds = WorkerBounds.parse(autoscale, None if memory is None else memory * MIB)
    names = known_queues(queues or ())
    configure_logging(settings.log_level, settings.log_format)
    server_for_all(settings, names)
    Autoscaler(RedisClient(settings).connection_of(names[0]), names, settings, bounds).run()
