"""`qa-queue check` takes what `run` takes: files, folders, tags and words; none of these needs a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qa_queue.cli.app import app
from qa_queue.errors import CaseError, InputError

CASE = "version: 1\nname: {name}\ntags: [{tag}]\nsteps:\n- goto: https://shop.test/\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cases with a tag each, one in a folder below, a flow, and a file of another kind."""
    monkeypatch.chdir(tmp_path)
    cases = tmp_path / "cases"
    (cases / "more").mkdir(parents=True)
    (cases / "login.yaml").write_text(CASE.format(name="Log in", tag="smoke"))
    (cases / "more" / "order.yaml").write_text(CASE.format(name="Order a coffee", tag="slow"))
    (cases / "pay.yaml").write_text("flow: Pay\nsteps:\n- goto: https://shop.test/pay\n")
    (cases / "data.yaml").write_text("colours: [red, green]\n")
    return tmp_path


def checked(*arguments: str) -> list[str]:
    """Return the names of the cases that are found and valid."""
    done = CliRunner().invoke(app, ["check", *arguments, "--json"], catch_exceptions=False)
    document: dict[str, Any] = json.loads(done.output)
    assert document["valid"], document["problems"]
    return sorted(case["name"] for case in document["cases"])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("cases",), ["Log in", "Order a coffee", "Pay"]),
        (("cases/more", "cases/login.yaml"), ["Log in", "Order a coffee"]),
        (("cases", "--tag", "smoke"), ["Log in"]),
        (("cases", "-k", "coffee"), ["Order a coffee"]),
        (("cases/pay.yaml",), ["Pay"]),
    ],
)
def test_a_folder_is_checked_with_those_below_it(arguments: tuple[str, ...], names: list[str]) -> None:
    """Flows among its files too; tags and words choose cases."""
    assert checked(*arguments) == names


def test_every_problem_of_a_folder_is_listed(folder: Path) -> None:
    (folder / "cases" / "login.yaml").write_text(CASE.format(name="Log in", tag="smoke").replace("goto", "gto"))
    with pytest.raises(CaseError, match=r"cases/login\.yaml:5: .*did you mean 'goto'\?"):
        CliRunner().invoke(app, ["check", "cases"], catch_exceptions=False)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cases", "--tag", "nightly"], "No case is selected: change the files, --tag or -k"),
        ([], "No case is given: name files, folders or stored cases"),
    ],
)
def test_nothing_to_check_is_an_error(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(app, ["check", *arguments], catch_exceptions=False)
