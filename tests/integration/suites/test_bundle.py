"""Suites that travel: packed from real git repositories, unpacked by workers, with their requirements."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from qa_queue.errors import InputError, NotFoundError
from qa_queue.models import utc_now
from qa_queue.models.payloads import PytestSuite
from qa_queue.store.artifacts import FolderStore
from qa_queue.suites.bundle import KEPT, PREFIX, Bundle, BundleFolder, pack, store_bundle

WHEEL = "greeting-1.0-py3-none-any.whl"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a suite in a folder, a file that is ignored and one that is not added."""
    top = tmp_path / "repository"
    suite = top / "tests" / "e2e"
    suite.mkdir(parents=True)
    (suite / "test_a.py").write_text("from pages import login\n")
    (top / "pages.py").write_text("login = 1\n")
    (top / ".gitignore").write_text(".env\n")
    (top / ".env").write_text("PASSWORD=secret")
    (suite / "data.csv").write_text("a\n")
    commands = ("init -q", "add .gitignore pages.py tests/e2e/test_a.py")
    for command in commands:
        subprocess.run(["git", "-C", top, *command.split()], check=True)
    return top


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    (tmp_path / "share").mkdir()
    return FolderStore(tmp_path / "share")


@pytest.fixture
def worker(tmp_path: Path, store: FolderStore) -> Callable[..., BundleFolder]:
    """A worker's folder of bundles."""
    return lambda install=False: BundleFolder(tmp_path / "home", store, install=install)


def write_wheel(path: Path) -> None:
    """Write the smallest package that pip installs."""
    facts = {"METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n", "RECORD": ""}
    facts["WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("greeting.py", "text = 'hello'\n")
        for name, text in facts.items():
            wheel.writestr(f"greeting-1.0.dist-info/{name}", text)


def names(bundle: Bundle) -> list[str]:
    with tarfile.open(fileobj=BytesIO(bundle.data)) as archive:
        return archive.getnames()


def suite_of(bundle: Bundle, **given: object) -> PytestSuite:
    return PytestSuite(root=bundle.root, bundle=bundle.sha256, **given)


def test_a_bundle_has_what_git_tracks_and_what_is_included(repository: Path) -> None:
    """Of the whole repository, because a suite may import from it; never what git ignores."""
    folder = repository / "tests" / "e2e"
    plain = pack(folder)
    assert plain.root == "tests/e2e"
    assert names(plain) == [".gitignore", "pages.py", "tests/e2e/test_a.py"]
    assert "tests/e2e/data.csv" in names(pack(folder, ["*.csv"]))
    with pytest.raises(InputError, match=r"--include '\*\.xlsx' finds no file"):
        pack(folder, ["*.xlsx"])


def test_without_git_a_bundle_has_the_visible_files(tmp_path: Path) -> None:
    """No hidden file, no virtual environment."""
    folder = tmp_path / "suite"
    (folder / "env").mkdir(parents=True)
    for name in ("test_a.py", ".env", "env/pyvenv.cfg", "env/lib.py", "logo.png"):
        (folder / name).write_text("x")
    assert names(pack(folder)) == ["logo.png", "test_a.py"]


def test_the_same_files_make_the_same_bundle(repository: Path) -> None:
    """Whenever they were written; another content makes another."""
    first = pack(repository)
    os.utime(repository / "pages.py", (0, 0))
    assert pack(repository) == first
    (repository / "pages.py").write_text("login = 2\n")
    assert pack(repository).sha256 != first.sha256


def test_a_worker_unpacks_a_bundle_once(
    repository: Path, store: FolderStore, worker: Callable[..., BundleFolder], tmp_path: Path
) -> None:
    bundle = pack(repository / "tests" / "e2e")
    store_bundle(bundle, store, utc_now())
    suite = worker().unpacked(suite_of(bundle, python="/nowhere/python", arguments=("-q",)))
    root = tmp_path / "home" / "bundles" / bundle.sha256 / "tests" / "e2e"
    assert suite == PytestSuite(root=str(root), arguments=("-q",))
    assert (root / "test_a.py").read_text() == "from pages import login\n"
    store.delete(f"{PREFIX}{bundle.sha256}")
    assert worker().unpacked(suite_of(bundle)).root == str(root)


def test_a_stored_bundle_is_stored_again_once_it_is_old(repository: Path, store: FolderStore) -> None:
    """So that no cleanup deletes one that is in use."""
    bundle = pack(repository)
    store_bundle(bundle, store, utc_now())
    name = f"{PREFIX}{bundle.sha256}"
    before = store.measure(name).changed_at
    store_bundle(bundle, store, utc_now())
    assert store.measure(name).changed_at == before
    store_bundle(bundle, store, utc_now() + timedelta(days=8))
    assert store.measure(name).changed_at > before


def test_a_bundle_that_cannot_be_used_says_what_to_do(
    repository: Path, store: FolderStore, worker: Callable[..., BundleFolder], tmp_path: Path
) -> None:
    """Missing, damaged, or without an artifact store; nothing half unpacked stays."""
    bundle = pack(repository)
    with pytest.raises(NotFoundError, match="submit the suite again"):
        worker().unpacked(suite_of(bundle))
    store_bundle(bundle, store, utc_now())
    (stored,) = (tmp_path / "share").rglob("suite.tar.gz")
    stored.write_bytes(bundle.data[:-1] + b"x")
    with pytest.raises(InputError, match="damaged"):
        worker().unpacked(suite_of(bundle))
    with pytest.raises(InputError, match="set QA_ARTIFACTS"):
        BundleFolder(tmp_path / "other", None, install=False).unpacked(suite_of(bundle))
    assert [one.name for one in (tmp_path / "home" / "bundles").iterdir()] == [".lock"]


def test_a_file_that_leads_out_of_the_bundle_is_refused(
    store: FolderStore, worker: Callable[..., BundleFolder], tmp_path: Path
) -> None:
    """Write access to the store gives no write access to a worker."""
    plain = BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        info = tarfile.TarInfo("../../escaped")
        info.size = 1
        archive.addfile(info, BytesIO(b"x"))
    data = gzip.compress(plain.getvalue())
    bundle = Bundle(hashlib.sha256(data).hexdigest(), ".", data)
    store_bundle(bundle, store, utc_now())
    with pytest.raises(InputError, match="escaped"):
        worker().unpacked(suite_of(bundle))
    assert not list(tmp_path.rglob("escaped"))


def test_a_worker_keeps_the_bundles_used_last(
    repository: Path, store: FolderStore, worker: Callable[..., BundleFolder], tmp_path: Path
) -> None:
    for number in range(KEPT + 3):
        (repository / "pages.py").write_text(f"login = {number}\n")
        bundle = pack(repository)
        store_bundle(bundle, store, utc_now())
        worker().unpacked(suite_of(bundle))
    kept = [one.name for one in (tmp_path / "home" / "bundles").iterdir() if one.is_dir()]
    assert len(kept) == KEPT
    assert bundle.sha256 in kept


def test_requirements_are_installed_where_the_operator_allows_it(
    repository: Path, store: FolderStore, worker: Callable[..., BundleFolder]
) -> None:
    """A local package stands for those of a registry; the environment is made once."""
    write_wheel(repository / WHEEL)
    (repository / "requirements.txt").write_text(f"./{WHEEL}\n")
    subprocess.run(["git", "-C", repository, "add", "."], check=True)
    bundle = pack(repository)
    store_bundle(bundle, store, utc_now())
    suite = suite_of(bundle, requirements="requirements.txt")
    assert worker().unpacked(suite).python is None
    installed = worker(install=True).unpacked(suite)
    assert installed.python is not None
    command = [installed.python, "-c", "import greeting; print(greeting.text)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "hello\n"
    assert worker(install=True).unpacked(suite) == installed
    assert installed.python != sys.executable


def test_requirements_that_cannot_be_installed_are_named(
    repository: Path, store: FolderStore, worker: Callable[..., BundleFolder]
) -> None:
    (repository / "requirements.txt").write_text("./nowhere\n")
    subprocess.run(["git", "-C", repository, "add", "."], check=True)
    bundle = pack(repository)
    store_bundle(bundle, store, utc_now())
    with pytest.raises(InputError, match=r"(?s)requirements.txt cannot be installed.*nowhere"):
        worker(install=True).unpacked(suite_of(bundle, requirements="requirements.txt"))
    with pytest.raises(InputError, match=r"no file other\.txt"):
        worker(install=True).unpacked(suite_of(bundle, requirements="other.txt"))
