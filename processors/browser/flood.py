"""Floods: limits on what pages may send, and a browser that is busy because of them.

One driver and one browser serve many runs and handle their events one by one, so a page that floods them holds up
every other run. A script in the page limits what it writes to the console, before that reaches the browser. For the
rest (workers, script errors, failed requests, dialogs) the page's log has a budget; it closes the context of a run
that exceeds it. Steps of other runs that were held up get their time again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psutil
from playwright.async_api import BrowserContext, Error

from qa_queue.errors import BrowserCrashedError

CONSOLE_CALLS = 1_000  # of a document at once; the log keeps no more entries of a run
CONSOLE_CALLS_PER_S = 100
DROPPED_CALLS = 5_000  # in a row, which make a flood
PING_TIMEOUT_S = 3.0
SLOW_PING_S = 1.0  # a browser that takes so long has held up the step before
LOOK_MS = 500  # between two counts of the elements of a document
# Time-outs that a busy browser is waited for. A flood of requests lasts 4 s on two quiet cores, and 38 s at a load
# of 10; it may be higher, so the limit is two minutes.
BUSY_PINGS = 40
BUSY_SHARE = 0.1  # of one CPU, used by what works: driver, browser, or this process, which handles their events
LEAST_IDLE = 0.05  # of the machine's CPUs; with less, a browser that does nothing may just have had no turn
_MARKER = f"qa-queue:{uuid4()}"
DROPPED, FLOODED, OVERGROWN = f"{_MARKER} dropped", f"{_MARKER} flooded", f"{_MARKER} overgrown"

# Each method becomes a getter that returns it, so that a message keeps its place in the page's own script.
CONSOLE_LIMIT = f"""(() => {{
  const now = performance.now.bind(performance), log = console.log.bind(console), silent = () => {{}};
  let left = {CONSOLE_CALLS}, since = now(), dropped = 0;
  const allowed = () => {{
    left = Math.min({CONSOLE_CALLS}, left + (now() - since) * {CONSOLE_CALLS_PER_S} / 1000);
    since = now();
    if (left === {CONSOLE_CALLS}) dropped = 0;
    if (left >= 1) {{ left -= 1; return true; }}
    dropped += 1;
    if (dropped === 1) log("{DROPPED}");
    if (dropped === {DROPPED_CALLS}) log("{FLOODED}");
    return false;
  }};
  for (const name of ["log", "info", "warn", "error", "debug", "trace", "dir", "table"]) {{
    let method = console[name];
    const get = () => (allowed() ? method : silent), set = (own) => {{ method = own; }};
    Object.defineProperty(console, name, {{ configurable: true, enumerable: true, get, set }});
  }}
}})()"""


def element_limit(most: int) -> str:
    """Return a script that reports a document with more elements, which would burden every look at the page."""
    return f"""(() => {{
  const later = setTimeout.bind(globalThis), log = console.log.bind(console);
  const elements = document.getElementsByTagName("*");
  const look = () => {{ if (elements.length > {most}) log("{OVERGROWN}"); else later(look, {LOOK_MS}); }};
  later(look, {LOOK_MS});
}})()"""


class Budget:
    """A token bucket: `most` at once, refilled by `per_second`."""

    def __init__(self, most: float, per_second: float, now: float) -> None:
        self._most = self._left = most
        self._per_second = per_second
        self._since = now

    def spend(self, amount: float, now: float) -> bool:
        """Return False if the budget does not allow this amount."""
        refilled = self._left + (now - self._since) * self._per_second
        self._left, self._since = min(self._most, refilled) - amount, now
        return self._left >= 0


class BrowserLoad:
    """The load of one browser, as far as its runs notice it."""

    def __init__(self) -> None:
        self._flooded_at: float | None = None

    def note_flood(self) -> None:
        """Remember that the context of a flooding page is closed now."""
        self._flooded_at = time.monotonic()

    async def held_up(self, context: BrowserContext, since: float) -> bool:
        """Return True if the browser was too busy for a step that began at `since` (monotonic clock, in s).

        Waits for the browser, not for the page. One that is busy may take its time.

        Raises:
            BrowserCrashedError: it is gone, or it neither answers nor works.
        """
        asked = time.monotonic()
        await _answer(context)
        slow = time.monotonic() - asked > SLOW_PING_S
        return slow or (self._flooded_at is not None and self._flooded_at >= since)


async def _answer(context: BrowserContext) -> None:
    answer = asyncio.ensure_future(context.cookies("http://localhost"))
    try:
        for _ in range(BUSY_PINGS):
            before, machine = _cpu_seconds(), psutil.cpu_times()
            await asyncio.wait({answer}, timeout=PING_TIMEOUT_S)
            if answer.done():
                answer.result()
                return
            busy = worked(before, _cpu_seconds(), BUSY_SHARE * PING_TIMEOUT_S)
            if not busy and idle_share(machine, psutil.cpu_times()) >= LEAST_IDLE:
                break
    except Error as error:
        raise BrowserCrashedError("the browser died under the run") from error
    finally:
        answer.cancel()
    raise BrowserCrashedError("the browser does not answer")


def worked(before: Mapping[Hashable, float], after: Mapping[Hashable, float], least: float) -> bool:
    """Return whether processes have used `least` seconds of CPU together, or one has ended, between two looks.

    The CPU time of a page ends with its process, so that a sum over all of them would fall when a context closes.
    """
    if before.keys() - after.keys():
        return True
    return sum(used - before.get(process, 0.0) for process, used in after.items()) >= least


def idle_share(before: Any, after: Any) -> float:
    """Return the idle part of the time of all CPUs between two looks, as `psutil.cpu_times` returns them."""
    every = sum(after) - sum(before)
    return (_idle(after) - _idle(before)) / every if every > 0 else 1.0


def _idle(times: Any) -> float:
    return float(times.idle + getattr(times, "iowait", 0.0))  # only Linux tells the latter


def _cpu_seconds() -> dict[Hashable, float]:
    """Return the CPU time of the driver, the browser and its pages, and of this process.

    It may be the one that is behind: the answer comes after the events that it still has to handle.
    """
    found: dict[Hashable, float] = {}
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):
            used = process.cpu_times()
            found[process] = used.user + used.system
    return found
