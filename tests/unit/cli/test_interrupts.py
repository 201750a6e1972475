"""Ctrl-C at any time ends a command with 130 and without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qa_queue.cli.interrupts import INTERRUPTED, held_interrupts, leave_on_interrupt, raise_on_interrupt
from qa_queue.models.outcomes import ExitCode
from tests.support.program import INTERRUPTED_AT


@pytest.mark.parametrize("module", ["typer", "pydantic", "qa_queue.cli.cases", "qa_queue.cases.checks.element"])
def test_ctrl_c_while_a_command_starts(module: str, tmp_path: Path) -> None:
    done = _interrupted_at(module, tmp_path, "check", "case.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_ctrl_c_while_a_command_opens_the_service(tmp_path: Path) -> None:
    done = _interrupted_at("qa_queue.settings.loading", tmp_path, "runs")
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr


def _interrupted_at(module: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", INTERRUPTED_AT, module, f"{signal.SIGINT:d}", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_exit_code_is_that_of_the_table() -> None:
    assert INTERRUPTED == ExitCode.INTERRUPTED


def test_an_interrupt_of_a_submission_waits_for_its_end() -> None:
    """So its runs are known and can be cancelled."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with held_interrupts() as release:
        os.kill(os.getpid(), signal.SIGTERM)
        submitted = True
        with pytest.raises(KeyboardInterrupt):
            release()
        assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    assert submitted
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_what_is_not_held_back_interrupts_as_before() -> None:
    with held_interrupts() as release:
        release()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_second_interrupt_ends_a_submission_that_hangs() -> None:
    def submit() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), held_interrupts():
        submit()


def test_an_interrupt_that_the_caller_ignores_stays_ignored() -> None:
    """As with `nohup`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        leave_on_interrupt()
        raise_on_interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
