"""The variables of host processes, and the digest of a suite's files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qa_queue.suites import host
from qa_queue.suites.environment import files_digest, host_environment

OWN = {
    "PATH": "/bin",
    "HOME": "/home/qa",
    "LC_ALL": "C.UTF-8",
    "PLAYWRIGHT_BROWSERS_PATH": "/browsers",
    "REDIS_URL": "redis://:key@host",
    "SUPABASE_SECRET_KEY": "key",
    "QA_SECRET_SHOP": "password",
    "SHOP_URL": "https://shop.example",
    "AWS_SECRET_ACCESS_KEY": "key",
}


def test_only_listed_variables_reach_a_host() -> None:
    """The operator can add names; the service's own never pass, even if they are requested."""
    plain = host_environment(OWN, {})
    assert plain == {
        "HOME": "/home/qa",
        "LC_ALL": "C.UTF-8",
        "PATH": "/bin",
        "PLAYWRIGHT_BROWSERS_PATH": "/browsers",
    }
    also = host_environment(
        OWN, {"REDIS_URL": "redis://mine", "STAGE": "dev"}, ["SHOP_URL", "REDIS_URL", "QA_SECRET_SHOP"]
    )
    assert also == plain | {"SHOP_URL": "https://shop.example", "STAGE": "dev"}


def test_values_of_the_run_win(tmp_path: Path) -> None:
    """And the worker names its Chromium."""
    found = host_environment(OWN, {"HOME": "/tmp"}, chromium=tmp_path)
    assert found["HOME"] == "/tmp"
    assert found["QA_SUITE_CHROMIUM"] == str(tmp_path)


@pytest.mark.parametrize("change", ["content", "new file", "removed", "users.csv", ".env", "cart.feature"])
def test_a_changed_file_changes_the_digest(tmp_path: Path, change: str) -> None:
    """Whatever a test can depend on: modules, configuration, data."""
    (tmp_path / "pages").mkdir()
    for name in ("conftest.py", "pages/cart.py", "users.csv", ".env", "cart.feature"):
        (tmp_path / name).write_text("a")
    before = files_digest(tmp_path)
    assert files_digest(tmp_path) == before
    match change:
        case "content":
            os.utime(tmp_path / "pages" / "cart.py", ns=(1, 1))
        case "new file":
            (tmp_path / "test_new.py").write_text("")
        case "removed":
            (tmp_path / "conftest.py").unlink()
        case _:
            (tmp_path / change).write_text("ab")
    assert files_digest(tmp_path) != before


def test_results_caches_and_environments_do_not_count(tmp_path: Path) -> None:
    """They change with every run."""
    (tmp_path / "conftest.py").write_text("")
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    before = files_digest(tmp_path)
    for folder in (".pytest_cache", "__pycache__", "test-results", "env"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "made.py").write_text("x")
    assert files_digest(tmp_path) == before


def test_no_module_beside_the_host_hides_one_of_the_standard_library() -> None:
    """An interpreter that has imported none of them yet, as a plain virtual environment, gets as far as pytest."""
    done = subprocess.run([sys.executable, "-S", host.__file__], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'pytest'"
