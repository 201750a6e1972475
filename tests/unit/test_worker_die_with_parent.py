"""Processes that end with the process that started them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qa_queue.worker import die_with_parent
from qa_queue.worker.die_with_parent import bound_command
from tests.support.processes import program, runs, wait_until_gone

STARTS_A_BOUND_COMMAND = """
import subprocess, sys
from qa_queue.worker.die_with_parent import bound_command

forever = "import signal; print('ready', flush=True); signal.pause()"
child = subprocess.Popen(bound_command([sys.executable, "-c", forever]), stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the end of a parent")
def test_a_bound_command_ends_with_its_killed_parent(tmp_path: Path) -> None:
    """SIGKILL of the parent, which can clean up nothing."""
    with program(STARTS_A_BOUND_COMMAND, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
        wait_until_gone([child])


def test_a_bound_command_runs_with_its_arguments_and_exit_code() -> None:
    """The command replaces the program that binds it."""
    command = [sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(3)", "a b", "c"]
    done = subprocess.run(bound_command(command), capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (3, "['a b', 'c']\n")


def test_a_command_whose_parent_has_already_ended_is_not_run() -> None:
    """The parent may end between fork and the call that asks for the signal."""
    interpreter, *options, _, command = bound_command(["true"])
    not_the_parent = str(os.getppid())
    done = subprocess.run([interpreter, *options, not_the_parent, command], check=False, timeout=30)
    assert done.returncode == 1


def test_the_program_needs_neither_the_package_nor_site_packages() -> None:
    """It is run by its path."""
    assert [die_with_parent.__file__, str(os.getpid()), "true"] == bound_command(["true"])[3:]
    assert bound_command(["true"])[1:3] == ["-I", "-S"]
