"""The faults of a chaos run: what begins one, and what ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.chaos.lossy import LossyProxy
from tests.chaos.plan import PlannedFault
from tests.chaos.service import ChaosService
from tests.faults.service import find
from tests.support.processes import ServiceProcess

Undo = Callable[[], None]


def begin(service: ChaosService, fault: PlannedFault) -> Undo:
    """Begin a fault and return what ends it."""
    return _BEGIN[fault.part](service, fault)


def _worker(service: ChaosService, fault: PlannedFault) -> Undo:
    worker, number = service.present[fault.worker], fault.worker
    match fault.kind:
        case "kill worker":
            worker.kill()
        case "end worker":
            worker.signal(signal.SIGTERM)
        case "kill child":
            return _kill(worker, "child")
        case "freeze worker":
            return _freeze([worker.process])
        case "freeze child":
            return _freeze(_found(worker, "child"))
        case "freeze both":
            return _freeze(worker.family())

    def restart() -> None:
        service.ending.append(worker)  # other faults must be able to end while it does
        service.start_worker(number)

    return restart


def _browser(service: ChaosService, fault: PlannedFault) -> Undo:
    return _kill(service.present[fault.worker], fault.kind.removeprefix("kill "))


def _redis_line(service: ChaosService, fault: PlannedFault) -> Undo:
    return _line(service.lines[fault.worker], fault)


def _supabase_line(service: ChaosService, fault: PlannedFault) -> Undo:
    return _line(service.supabase_line, fault)


def _line(line: LossyProxy, fault: PlannedFault) -> Undo:
    line.set_mode(fault.kind)  # type: ignore[arg-type] # one of its modes
    return lambda: line.set_mode("good")


def _redis(service: ChaosService, fault: PlannedFault) -> Undo:
    match fault.kind:
        case "kill":
            service.kill_redis()
            return lambda: (service.start_redis(), None)[1]
        case "freeze":
            return _freeze([psutil.Process(service.redis.pid)])
        case "flush":
            service.connection.flushall()
            return _nothing
        case "read-only":
            service.connection.replicaof("127.0.0.1", 1)
            return lambda: service.connection.replicaof("NO", "ONE")
        case _:
            service.connection.config_set("maxmemory", "1")
            return lambda: (service.connection.config_set("maxmemory", "0"), None)[1]


def _supabase(service: ChaosService, fault: PlannedFault) -> Undo:
    service.supabase.mode = fault.kind

    def end() -> None:
        service.supabase.mode = "good"

    return end


def _scheduler(service: ChaosService, fault: PlannedFault) -> Undo:
    scheduler = service.present_scheduler
    if fault.kind == "freeze scheduler":
        return _freeze([scheduler.process])
    scheduler.kill()
    return service.start_scheduler


def _disk(service: ChaosService, fault: PlannedFault) -> Undo:
    if service.disk is None:
        return _nothing
    filler = service.disk / "filler"
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    return lambda: filler.unlink(missing_ok=True)


def _kill(worker: ServiceProcess, part: str) -> Undo:
    for process in _found(worker, part):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return _nothing


def _found(worker: ServiceProcess, part: str) -> list[psutil.Process]:
    """Return a process of a worker; none while it is being started again."""
    with suppress(AssertionError, psutil.Error):
        return [find(worker, part, timeout=2)]
    return []


def _freeze(processes: list[psutil.Process]) -> Undo:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()

    def thaw() -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    return thaw


def _nothing() -> None:
    """There is nothing to end."""


_BEGIN: dict[str, Callable[[ChaosService, PlannedFault], Undo]] = {
    "worker": _worker,
    "browser": _browser,
    "line": _redis_line,
    "supabase line": _supabase_line,
    "redis": _redis,
    "supabase": _supabase,
    "scheduler": _scheduler,
    "disk": _disk,
}
