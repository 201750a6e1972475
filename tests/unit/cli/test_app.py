"""The program itself: commands that are imported when they are used, help, suggestions, errors."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from qa_queue.cli.app import MODULES, LazyCommands, app, problems_of
from qa_queue.errors import CaseError, InputError, ItemsError, NotFoundError

COMMANDS = [(module, name) for module, names in MODULES.items() for name in names]


@pytest.mark.parametrize("module", MODULES)
def test_the_table_names_every_command_of_a_module(module: str) -> None:
    """A command that the table lacks could not be called; one too many would fail when it is looked up."""
    declared = typer.main.get_group(import_module(f"qa_queue.cli.{module}").app).commands
    assert set(declared) == set(MODULES[module])


def test_every_module_with_commands_is_in_the_table() -> None:
    files = Path(sys.modules[LazyCommands.__module__].__file__ or "").parent.glob("*.py")
    with_app = {file.stem for file in files if "\napp = typer.Typer()" in file.read_text(encoding="utf-8")}
    assert with_app == set(MODULES)


def test_the_help_lists_every_command_with_its_text() -> None:
    ended = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert ended.exit_code == 0
    lines = ended.output.splitlines()
    for _, name in COMMANDS:
        (line,) = [line for line in lines if line.strip("│ ").startswith(f"{name} ")]
        assert len(line.split(name, 1)[1].strip("│ ")) > 10


def test_an_unknown_command_is_answered_with_the_nearest_ones() -> None:
    ended = CliRunner().invoke(app, ["chekc"])
    assert ended.exit_code == 2
    assert "'check'" in ended.output


def test_completion_offers_the_commands_with_their_help() -> None:
    env = {"_QA_QUEUE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "qa-queue pau"}
    ended = CliRunner().invoke(app, [], env=env, prog_name="qa-queue")
    assert "pause" in ended.output
    assert "Take no more jobs" in ended.output


def imported_by(*words: str) -> tuple[str, set[str]]:
    """Return what a command prints, and the modules that it has imported in a process of its own."""
    script = (
        "import sys; from qa_queue.cli.app import app\n"
        f"try: app({words!r})\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    printed, modules = done.stdout.splitlines()
    return printed, set(modules.split())


def packages_of(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_a_command_imports_its_own_module_only() -> None:
    """What another command needs is not paid for: neither RQ nor Supabase nor the case model."""
    version, modules = imported_by("--version")
    assert version.startswith("qa-queue ")
    unwanted = {"rq", "redis", "supabase", "httpx", "pydantic_settings", "ruamel", "fastapi", "playwright"}
    assert not unwanted & packages_of(modules)
    own = {name for name in modules if name.startswith("qa_queue.cli.")}
    assert own == {"qa_queue.cli.app", "qa_queue.cli.interrupts"}


def test_checking_a_case_imports_no_more_than_reading_it_needs(tmp_path: Path) -> None:
    """No settings of the service, no store, no queue, and no YAML writer."""
    case = tmp_path / "case.yaml"
    case.write_text("name: x\nsteps:\n  - goto: http://127.0.0.1/\n")
    checked, modules = imported_by("check", str(case))
    assert checked.startswith("ok")
    assert not {"asyncio", "httpx", "pydantic_settings", "redis", "rq", "ruamel", "supabase"} & packages_of(modules)
    assert not {"qa_queue.queues", "qa_queue.services", "qa_queue.store.records"} & modules


def test_commands_are_a_mapping_that_loads_on_look_up() -> None:
    commands = LazyCommands({"queues": ("pause", "resume")})
    assert (list(commands), len(commands), "other" in commands) == (["pause", "resume"], 2, False)
    assert commands["pause"].name == "pause"
    assert commands.get("other") is None


def test_every_problem_of_an_error_has_a_line() -> None:
    case = CaseError("both", ("one", "two"))
    several = ItemsError({0: NotFoundError("no run x"), 3: case}, 5)
    assert problems_of(InputError("alone")) == ("alone",)
    assert problems_of(CaseError("alone")) == ("alone",)
    assert problems_of(several) == ("no run x", "one", "two")
    assert str(several) == "2 of 5 cannot be used; nothing was done."
