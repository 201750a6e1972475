"""Limits at which a worker's child process is renewed or killed, and the measurement of its memory."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from qa_queue.settings import load_settings
from qa_queue.worker.child_health import MIB, RenewalLimits, reason_to_renew, too_big, tree_memory
from tests.support.processes import program, read_until

HOLDS_50_MIB_IN_A_CHILD = """
import subprocess, sys
hold = "data = bytearray(50 << 20); print('ready', flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(child.stdout.readline(), flush=True)
input()
child.communicate("\\n")
"""


@pytest.mark.parametrize(
    ("runs", "age", "memory", "reason"),
    [
        (9, 599, 99 * MIB, None),
        (10, 0, 0, "it has had 10 runs"),
        (0, 600, None, "it is 10 min old"),
        (0, 0, 100 * MIB, "it holds 100 MiB"),
        (0, 0, None, None),
    ],
)
def test_a_process_is_renewed_at_the_first_limit(runs, age, memory, reason):
    """By runs, by minutes, and by memory once it was measured."""
    limits = RenewalLimits(runs=10, age=600, memory=100 * MIB)
    assert reason_to_renew(limits, runs=runs, age=age, memory=memory) == reason


@pytest.mark.parametrize(
    ("memory", "limit", "killed"),
    [(199 * MIB, 100 * MIB, False), (200 * MIB, 100 * MIB, True), (10**15, 0, False), (None, 100 * MIB, False)],
)
def test_a_process_that_holds_twice_its_limit_is_killed(memory, limit, killed):
    """Renewal alone would wait for what runs in it, which may never end."""
    assert too_big(RenewalLimits(runs=0, age=0, memory=limit), memory) is killed


def test_limits_of_zero_are_unlimited():
    """Such a process is never renewed."""
    off = load_settings(queue_recycle_runs=0, queue_recycle_minutes=0, queue_recycle_mb=0)
    assert reason_to_renew(RenewalLimits.of(off), runs=10**9, age=1e9, memory=10**15) is None


def test_the_memory_of_a_process_includes_that_of_its_descendants(tmp_path: Path):
    """The child of the child process is the browser."""
    with program(HOLDS_50_MIB_IN_A_CHILD, cwd=tmp_path) as parent:
        read_until(parent, "ready")
        (child,) = psutil.Process(parent.pid).children()
        assert (tree_memory(child.pid) or 0) > 50 * MIB
        assert (tree_memory(parent.pid) or 0) > (tree_memory(child.pid) or 0)
        parent.communicate("\n", timeout=20)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere shared pages are not counted")
def test_shared_pages_are_counted_once(tmp_path: Path):
    """The proportional size of a process is below its resident size, which includes the shared libraries."""
    with program("print('ready', flush=True); input()", cwd=tmp_path) as popen:
        read_until(popen, "ready")
        assert 0 < (tree_memory(popen.pid) or 0) < psutil.Process(popen.pid).memory_info().rss
        popen.communicate("\n", timeout=20)


def test_a_process_that_has_ended_has_no_memory(tmp_path: Path):
    """Its figure is unknown, not zero."""
    with program("", cwd=tmp_path) as ended:
        ended.wait(20)
    assert tree_memory(ended.pid) is None
