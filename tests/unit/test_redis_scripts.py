"""Lua scripts as files."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import takewhile
from pathlib import Path

import pytest

from qa_queue.queues.keys import QueueKeys
from qa_queue.redis.scripts import LuaScript

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "qa_queue").glob("*/lua/*.lua"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `lua` of an empty package `scripted`."""
    (tmp_path / "scripted" / "lua").mkdir(parents=True)
    (tmp_path / "scripted" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "scripted" / "lua"


def test_an_included_file_is_put_before_the_script_once(package: Path) -> None:
    (package / "base.lua").write_text("base")
    (package / "lists.lua").write_text("-- include: base\nlists")
    (package / "main.lua").write_text("-- include: base\n-- include: lists\nmain")
    lines = LuaScript.load("scripted", "main").text.splitlines()
    assert [line for line in lines if not line.startswith("--")] == ["base", "lists", "main"]


def test_a_script_that_does_not_exist_is_an_error(package: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.lua"):
        LuaScript.load("scripted", "absent")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_script_documents_its_keys(path: Path) -> None:
    """The comment at its top says which keys and arguments it gets."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = "\n".join(takewhile(lambda line: line.startswith("--"), lines))
    assert "KEYS" in header or "Keys derived here" in header


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_names_a_key_itself(path: Path) -> None:
    """Key names are in keys.py, once."""
    code = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
    assert re.findall(r"['\"](?:qa|rq|progress):[^'\"]*['\"]", code) == []


def test_queue_keys_are_passed_in_the_order_that_the_scripts_document() -> None:
    text = (files("qa_queue.queues") / "lua" / "queue.lua").read_text(encoding="utf-8")
    documented = re.findall(r"^  '(\w+)',", text, re.MULTILINE)
    keys = QueueKeys("q")
    assert [getattr(keys, name) for name in documented] == keys.for_scripts


def test_every_script_is_in_the_wheel() -> None:
    """A script that no pattern of the package data covers is missing from an installation."""
    patterns = re.findall(r'"([\w/]+/\*\.lua)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    covered = {path for pattern in patterns for path in (ROOT / "qa_queue").glob(pattern)}
    assert covered == set((ROOT / "qa_queue").rglob("*.lua"))
    assert covered
