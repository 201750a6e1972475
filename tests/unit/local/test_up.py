"""The lines of a Procfile as processes, and the addresses that are printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_queue.errors import StackError
from qa_queue.local.supervise import as_one_process
from qa_queue.local.up import addresses, read_procfile, without_login
from qa_queue.settings import Settings


@pytest.mark.parametrize(
    "command",
    ["rq worker -w a.B queue", "A=1 rq worker", "python -c 'a; b'", "qa-queue web > out.txt", "rq worker 2>&1"],
)
def test_a_single_program_replaces_its_shell(command: str) -> None:
    """Signals reach it directly."""
    assert as_one_process(command) == f"exec env {command}"


@pytest.mark.parametrize("command", ["a && b", "a; b", "while true; do a; done", "(a)", "cd x", "a | b", "a &"])
def test_a_compound_line_keeps_its_shell(command: str) -> None:
    """`exec` would run only its first program."""
    assert as_one_process(command) == command


def test_addresses_are_printed_without_passwords() -> None:
    """They appear in logs and on screens."""
    settings = Settings(_env_file=None, redis_url="redis://u:geheim@h:1/2", supabase_url="http://s")  # type: ignore[call-arg]
    text = "\n".join(addresses(settings, "in FILE"))
    assert "geheim" not in text
    assert "redis://h:1/2" in text
    assert "http://127.0.0.1:8600" in text
    assert "in FILE" in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [("redis://:p@h:1/0", "redis://h:1/0"), ("unix:///a/b?db=1", "unix:///a/b?db=1"), ("redis://h", "redis://h")],
)
def test_the_login_is_removed_from_a_url(url: str, shown: str) -> None:
    """The rest stays."""
    assert without_login(url) == shown


def test_a_procfile_is_read_by_name(tmp_path: Path) -> None:
    """Comments and empty lines are ignored."""
    path = tmp_path / "Procfile"
    path.write_text("# all of it\nweb: qa-queue web\n\nworker-a: rq worker a\n")
    assert read_procfile(path) == {"web": "qa-queue web", "worker-a": "rq worker a"}


def test_a_missing_or_empty_procfile_is_an_error_that_names_it(tmp_path: Path) -> None:
    """Nothing can be started from it."""
    path = tmp_path / "Procfile"
    with pytest.raises(StackError, match=r"Procfile cannot be read: No such file"):
        read_procfile(path)
    path.write_text("# nothing\n")
    with pytest.raises(StackError, match=r"no line of the form `name: command`"):
        read_procfile(path)
