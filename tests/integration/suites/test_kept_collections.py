"""Collections that are kept: the next one reads what the first one read, and starts no process."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from qa_queue.errors import CaseError
from qa_queue.models.payloads import PytestSuite
from qa_queue.services.suites import SuiteRequest, suite_cases
from qa_queue.settings import load_settings
from qa_queue.suites import reads
from qa_queue.suites.cases import Grouping
from qa_queue.suites.kept_collections import FOR, KeptCollections
from qa_queue.suites.process import CollectedTest, Collection
from tests.support.records import NOON

OBSERVE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("reads", sys.argv[1])
reads = importlib.util.module_from_spec(spec); spec.loader.exec_module(reads)
found = []
for code in json.load(sys.stdin):
    one = reads.Reads(); one.watch()
    try: exec(code)
    except OSError: pass
    found.append([sorted(one.states), one.outside])
print(json.dumps(found))
"""
SNIPPETS = {
    "open('data.csv').read()": ["data.csv"],
    "import os; os.open('data.csv', os.O_RDONLY)": ["data.csv"],
    "open('no.csv')": ["no.csv"],
    "from pathlib import Path; list(Path('users').glob('*.json'))": ["users"],
    "import os; os.listdir()": [""],
    "sys.path.insert(0, 'lib'); import helper": ["lib", "lib/helper.py"],
    "import helper": [],
    "open('out.log', 'w')": [],
    "open('.pytest_cache/v/cache/lastfailed')": [],
    "import tomllib": [],
}
OUTSIDE = {
    "import socket; socket.socket().connect(('127.0.0.1', 1))": "socket.connect",
    "import subprocess; subprocess.run(['true'])": "subprocess.Popen",
    "import sqlite3; sqlite3.connect('db')": "sqlite3.connect",
}


def test_what_a_process_reads_is_observed(tmp_path: Path) -> None:
    """Files, also missing ones, and folders; not what it writes, caches or installed packages."""
    for name in ("data.csv", "lib/helper.py", "users/ann.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    done = subprocess.run(
        [sys.executable, "-B", "-P", "-c", OBSERVE, reads.__file__],  # a folder with new bytecode is listed again
        input=json.dumps([*SNIPPETS, *OUTSIDE]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(zip([*SNIPPETS, *OUTSIDE], json.loads(done.stdout), strict=True))
    for code, names in SNIPPETS.items():
        inside = [path for path in found[code][0] if path.startswith(str(tmp_path))]
        assert (code, inside) == (code, sorted(str(tmp_path / name).rstrip("/") for name in names))
        assert (code, found[code][1]) == (code, None)
    assert {code: found[code][1] for code in OUTSIDE} == OUTSIDE


class TestKept:
    """A collection that depends on `folder` and a file in it."""

    SUITE = PytestSuite(root="/suite", arguments=("-q",))
    TEST = CollectedTest(
        id="test_a.py::test_ä[1/2 x]",
        file="test_a.py",
        line=3,
        name="test_ä[1/2 x]",
        class_id=None,
        markers=("smoke",),
        group=None,
        shared=("module:shop",),
    )

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "suite").mkdir()
        (tmp_path / "suite" / "users.csv").write_text("ann")
        return tmp_path / "suite"

    @pytest.fixture
    def kept(self, folder: Path) -> KeptCollections:
        kept = KeptCollections(folder.parent / "home" / "collections")
        paths = (folder, folder / "users.csv", folder / "conftest.py")
        states = {str(path): reads.state_of(str(path)) for path in paths}
        kept.keep(
            self.SUITE, {"STAGE": "dev"}, Collection(root="/", tests=(self.TEST,), errors={}, reads=states), NOON
        )
        return kept

    def test_it_is_found_as_it_was(self, kept: KeptCollections) -> None:
        """For an hour; a clock that was set back does not prolong it."""
        found = kept.find(self.SUITE, {"STAGE": "dev"}, NOON)
        assert found is not None
        assert (found.root, found.tests, found.errors) == ("/", (self.TEST,), {})
        for age, known in ((FOR - timedelta(seconds=1), True), (FOR, False), (timedelta(seconds=-1), False)):
            assert (kept.find(self.SUITE, {"STAGE": "dev"}, NOON + age) is not None) is known

    @pytest.mark.parametrize("change", ["content", "new file", "removed", "conftest"])
    def test_a_change_of_what_it_read_ends_it(self, kept: KeptCollections, folder: Path, change: str) -> None:
        match change:
            case "content":
                (folder / "users.csv").write_text("ann, bob")
            case "new file":
                (folder / "test_new.py").touch()
            case "removed":
                (folder / "users.csv").unlink()
            case "conftest":
                (folder / "conftest.py").touch()
        assert kept.find(self.SUITE, {"STAGE": "dev"}, NOON) is None

    def test_caches_do_not_end_it(self, kept: KeptCollections, folder: Path) -> None:
        (folder / "__pycache__").mkdir()
        (folder / ".pytest_cache").mkdir()
        assert kept.find(self.SUITE, {"STAGE": "dev"}, NOON) is not None

    def test_other_variables_and_arguments_have_their_own(self, kept: KeptCollections) -> None:
        assert kept.find(self.SUITE, {"STAGE": "live"}, NOON) is None
        assert kept.find(self.SUITE.model_copy(update={"arguments": ("-k", "x")}), {"STAGE": "dev"}, NOON) is None

    def test_a_damaged_file_is_no_error_and_values_are_not_stored(
        self, kept: KeptCollections, folder: Path
    ) -> None:
        (file,) = (folder.parent / "home" / "collections").iterdir()
        assert "dev" not in file.name + file.read_text()
        file.write_text("{")
        assert kept.find(self.SUITE, {"STAGE": "dev"}, NOON) is None

    def test_one_that_depends_on_more_than_files_is_not_kept(self, folder: Path) -> None:
        kept = KeptCollections(folder.parent / "other")
        kept.keep(self.SUITE, {}, Collection(root="/", tests=(self.TEST,), errors={}), NOON)
        assert kept.find(self.SUITE, {}, NOON) is None


CONFTEST = """
def pytest_collection_finish(session):
    with open("../log", "a") as log:
        log.write("collected\\n")
"""
USERS = """
import pytest

@pytest.mark.parametrize("user", open("users.txt").read().split())
def test_user(user):
    pass
"""


def test_a_file_that_cannot_be_collected_fails_alone_where_pytest_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the suite's own settings too; elsewhere nothing runs, and the error says how to go on."""
    (tmp_path / "test_good.py").write_text("def test_good(): pass")
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    settings, request = load_settings(qa_home=tmp_path / "home"), SuiteRequest(paths=(".",))
    with pytest.raises(CaseError) as caught:
        suite_cases(request, settings)
    assert "nothing_of_this_name" in caught.value.problems[0]
    assert caught.value.problems[-1].endswith("Run the others with `-- --continue-on-collection-errors`.")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --continue-on-collection-errors\n")
    assert [one.case.name for one in suite_cases(request, settings)] == [
        "test_good.py::test_good",
        "test_broken.py",
    ]


def test_tags_choose_tests_before_they_are_grouped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test without the marker stays out, whatever others of its class have; a broken file never does."""
    (tmp_path / "test_class.py").write_text(
        "import pytest\nclass TestIt:\n"
        "    @pytest.mark.smoke\n    def test_a(self): pass\n    def test_b(self): pass\n"
    )
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --continue-on-collection-errors\nmarkers = smoke\n")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(qa_home=tmp_path / "home")
    request = SuiteRequest(paths=(".",), grouping=Grouping.CLASS, tags=("smoke", "slow"))
    found = [one.case.pytest.tests for one in suite_cases(request, settings) if one.case.pytest]
    assert found == [("test_class.py::TestIt::test_a",), ("test_broken.py",)]


def test_a_suite_is_collected_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each collection writes a line; another user in the data is another test, a connection is never kept."""
    suite = tmp_path / "suite"
    suite.mkdir()
    for name, text in {"conftest.py": CONFTEST, "test_users.py": USERS, "users.txt": "ann bob"}.items():
        (suite / name).write_text(text)
    (suite / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(suite)
    settings = load_settings(qa_home=tmp_path / "home")

    def collected() -> tuple[list[str], int]:
        cases = suite_cases(SuiteRequest(paths=(".",)), settings)
        return [one.case.name for one in cases], (tmp_path / "log").read_text().count("\n")

    both = ["test_users.py::test_user[ann]", "test_users.py::test_user[bob]"]
    assert collected() == (both, 1)
    assert collected() == (both, 1)
    (suite / "users.txt").write_text("ann bob eve")
    assert collected() == ([*both, "test_users.py::test_user[eve]"], 2)
    with (suite / "conftest.py").open("a") as conftest:
        conftest.write("import socket\nsocket.socket().connect_ex(('127.0.0.1', 1))\n")
    assert [collected()[1], collected()[1]] == [3, 4]
