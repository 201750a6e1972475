"""Suites that travel: a bundle of their files in the artifact store, and the folder that a worker unpacks it to.

A bundle is a tar file whose name is the SHA-256 of its content. The same files make the same bundle.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock

from qa_queue.errors import InputError, NotFoundError
from qa_queue.models.payloads import PytestSuite
from qa_queue.store.artifacts import ArtifactStore
from qa_queue.suites.environment import is_skipped_folder

PREFIX = "bundle-"
MAX_BYTES = 200 << 20  # of a compressed bundle
KEPT = 10  # unpacked bundles of one worker
_TYPE = "application/gzip"
_FRESH = timedelta(days=7)  # a stored bundle that is older is stored again, so that no cleanup takes it
_INSTALL_TIMEOUT_S = 1800


@dataclass(frozen=True)
class Bundle:
    """The files of a suite: `sha256` of the packed ones in `data`, and the suite's folder in them, `root`."""

    sha256: str
    root: str
    data: bytes


def pack(folder: Path, include: Sequence[str] = ()) -> Bundle:
    """Pack the suite in a folder: what git tracks in its repository, or without git the folder's visible files.

    `include` adds files by patterns relative to the folder, such as `data/**/*.csv`.

    Raises:
        InputError: a pattern finds nothing, or the bundle is too large.
    """
    top = _repository(folder) or folder
    names = {*_tracked(top)} if top != folder or (top / ".git").exists() else {*_visible(top)}
    for pattern in include:
        found = {path.relative_to(top).as_posix() for path in folder.glob(pattern) if path.is_file()}
        if not found:
            raise InputError(f"--include {pattern!r} finds no file in {folder}.")
        names |= found
    data = _packed(top, sorted(names))
    if len(data) > MAX_BYTES:
        raise InputError(
            f"The suite has {len(data) >> 20} MiB, compressed; at most {MAX_BYTES >> 20} MiB can travel."
        )
    return Bundle(hashlib.sha256(data).hexdigest(), folder.relative_to(top).as_posix(), data)


def store_bundle(bundle: Bundle, store: ArtifactStore, now: datetime) -> None:
    """Put a bundle into the store, unless it is there.

    Raises:
        ArtifactStoreError: the store cannot be used.
    """
    known = store.measure(f"{PREFIX}{bundle.sha256}")
    if known.files and now - known.changed_at < _FRESH:
        return
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(bundle.data)
        file.flush()
        store.put(_path(bundle.sha256), Path(file.name), _TYPE)


class BundleFolder:
    """The unpacked bundles of a worker, below `home`. `install` allows requirements to be installed.

    Safe to use from several processes.
    """

    def __init__(self, home: Path, store: ArtifactStore | None, *, install: bool) -> None:
        self._home = home
        self._store = store
        self._install = install

    def unpacked(self, suite: PytestSuite) -> PytestSuite:
        """Return a suite as one on this machine: its bundle unpacked, its requirements installed where allowed.

        Without its own interpreter here, or its requirements, it runs with that of the worker.

        Raises:
            InputError: this worker has no artifact store, or the requirements cannot be installed.
            NotFoundError: the store does not have the bundle.
            ArtifactStoreError: the store cannot be used.
        """
        if suite.bundle is None:
            return suite
        folder = self._folder(suite.bundle)
        python = suite.python if suite.python and Path(suite.python).exists() else None
        if self._install and suite.requirements:
            python = self._environment(folder / suite.root / suite.requirements)
        root = os.path.normpath(folder / suite.root)
        return suite.model_copy(update={"root": root, "python": python, "bundle": None, "requirements": None})

    def _folder(self, sha256: str) -> Path:
        folder = self._home / "bundles" / sha256
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".lock"):
            if folder.is_dir():
                os.utime(folder)
                return folder
            self._unpack(sha256, folder)
            for old in sorted(_folders(folder.parent), key=lambda one: one.stat().st_mtime)[:-KEPT]:
                shutil.rmtree(old, ignore_errors=True)
        return folder

    def _unpack(self, sha256: str, folder: Path) -> None:
        if self._store is None:
            raise InputError(
                f"The suite travels as the bundle {sha256[:12]}, and this worker has no artifact store: set "
                "QA_ARTIFACTS as it is where the run was submitted."
            )
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
            packed, draft = Path(scratch, "suite.tar.gz"), Path(scratch, "suite")
            try:
                self._store.fetch(_path(sha256), packed)
            except NotFoundError:
                raise NotFoundError(
                    f"{self._store.name} has no bundle {sha256[:12]}: submit the suite again."
                ) from None
            if hashlib.sha256(packed.read_bytes()).hexdigest() != sha256:
                raise InputError(
                    f"The bundle {sha256[:12]} in {self._store.name} is damaged: submit the suite again."
                )
            try:
                with tarfile.open(packed) as archive:
                    archive.extractall(draft, filter="data")
            except tarfile.TarError as error:
                raise InputError(f"The bundle {sha256[:12]} cannot be unpacked: {error}.") from None
            draft.rename(folder)

    def _environment(self, requirements: Path) -> str:
        """Return the interpreter of an environment with these requirements."""
        if not requirements.is_file():
            raise InputError(f"The bundle has no file {requirements.name}: add it to git, or by --include.")
        key = hashlib.sha256(f"{sys.version}\0".encode() + requirements.read_bytes()).hexdigest()
        folder = self._home / "environments" / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        python = folder / "bin" / "python"
        with FileLock(folder.parent / f".{key}.lock"):
            if not (folder / ".ready").exists():
                shutil.rmtree(folder, ignore_errors=True)
                _install([sys.executable, "-m", "venv", str(folder)], requirements)
                pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
                _install([*pip, "-r", str(requirements)], requirements)
                (folder / ".ready").touch()
        return str(python)


def _install(command: Sequence[str], requirements: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LC_"))}
    names = ("PATH", "HOME", "LANG", "TMPDIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
    kept |= {name: os.environ[name] for name in names if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - the operator allows it
            command,
            cwd=requirements.parent,
            env=kept,
            capture_output=True,
            text=True,
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{requirements.name} was not installed within {_INSTALL_TIMEOUT_S} s.") from None
    if done.returncode != 0:
        lines = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise InputError(f"{requirements.name} cannot be installed:\n{lines}")


def _repository(folder: Path) -> Path | None:
    """Return the top of the git repository around a folder; None outside of one, or without git."""
    try:
        found = _git(folder, "rev-parse", "--show-toplevel")
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(found.decode().rstrip("\n"))


def _tracked(top: Path) -> Iterator[str]:
    for name in _git(top, "ls-files", "-z", "--cached").decode("utf-8", "surrogateescape").split("\0"):
        if name and (top / name).is_file():  # deleted ones and submodules are listed too
            yield name


def _git(folder: Path, *words: str) -> bytes:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - a fixed command


def _visible(top: Path) -> Iterator[str]:
    for path, folders, files in os.walk(top):
        folders[:] = [name for name in folders if not is_skipped_folder(Path(path, name))]
        yield from (Path(path, name).relative_to(top).as_posix() for name in files if not name.startswith("."))


def _packed(top: Path, names: Iterable[str]) -> bytes:
    target = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name in names:
            _add(archive, top / name, name)
    return target.getvalue()


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file or a link without what differs between machines."""
    info = archive.gettarinfo(path, name)
    info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
    info.mode = 0o755 if info.mode & 0o100 else 0o644
    if info.isfile():
        with path.open("rb") as content:
            archive.addfile(info, content)
    elif info.issym():
        archive.addfile(info)


def _folders(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _path(sha256: str) -> str:
    return f"{PREFIX}{sha256}/1/suite.tar.gz"
