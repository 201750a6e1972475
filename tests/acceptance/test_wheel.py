"""A user with only pip: the wheel in an environment and a folder of their own, without the checkout."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qa_queue.local.files import MIGRATIONS
from qa_queue.local.process import free_port
from tests.support.poll import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Installed:
    """The program of the wheel, and the folder that its user works in."""

    def __init__(self, folder: Path, browser: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self._bin = folder / "venv" / "bin"
        kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "npm_", "NODE_", "SSL_"))}
        self.environment = kept | {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "QA_BROWSER_PATH": str(browser),
            "QA_WEB_PORT": str(free_port()),
            "QA_DASHBOARD_PORT": str(free_port()),
        }

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment to its end."""
        return subprocess.run(
            [self._bin / arguments[0], *arguments[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @contextmanager
    def up(self, log: Path) -> Iterator[None]:
        """`qa-queue up`, from its workers' start to Ctrl-C."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self._bin / "qa-queue", "up"],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(lambda: "serves test-execution" in log.read_text(), timeout=240, what="qa-queue up")
            yield
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, browser_path: Path) -> Installed:
    """The wheel and the packages that it asks for, from an empty environment."""
    folder = tmp_path_factory.mktemp("user")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        ".",
    ]
    subprocess.run(build, cwd=ROOT, check=True)
    (wheel,) = folder.glob("qa_queue-*.whl")
    # This environment's pip installs into the user's, which saves installing pip there. Nothing is compiled: most
    # modules are never imported here, and Python compiles the others when they are.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    target = ["--python", str(folder / "venv" / "bin" / "python")]
    install = [sys.executable, "-m", "pip", *target, "install", "-q", "--no-compile", f"{wheel}[local]"]
    subprocess.run(install, cwd=folder, check=True, timeout=1200)
    return Installed(folder, browser_path)


def test_from_pip_to_a_watched_run(installed: Installed, tmp_path: Path) -> None:
    """`init`, `up`, `run --wait` and `migrate`; Supabase Lite is installed into the user's cache on the way."""
    made = installed.run("qa-queue", "init")
    assert made.returncode == 0
    assert "created  cases/first.yaml" in made.stdout
    assert (installed.folder / ".env").stat().st_mode & 0o077 == 0
    shop = free_port()
    procfile = installed.folder / "Procfile"
    procfile.write_text(re.sub(r"qa-queue shop", f"qa-queue shop --port {shop}", procfile.read_text()))
    log = tmp_path / "up.log"
    with installed.up(log):
        assert "Installing Supabase Lite" in log.read_text()
        assert list(
            (Path(installed.environment["HOME"]) / ".cache" / "qa-queue").glob("supabase-lite-*/node_modules")
        )
        url = f"BASE_URL=http://127.0.0.1:{shop}"
        done = installed.run("qa-queue", "run", "cases/first.yaml", "--wait", "--env", url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "passed" in done.stdout
        assert "up to date" in installed.run("qa-queue", "migrate").stdout
    assert not (installed.folder / ".qa" / "stack.env").exists()


def test_init_keeps_what_is_there(installed: Installed) -> None:
    """A second one changes nothing."""
    installed.run("qa-queue", "init")
    case = installed.folder / "cases" / "first.yaml"
    case.write_text("name: mine\n")
    again = installed.run("qa-queue", "init")
    assert "kept     cases/first.yaml" in again.stdout
    assert case.read_text() == "name: mine\n"


def test_the_demo_ends_as_it_should(installed: Installed) -> None:
    """With its shop and cases from the wheel."""
    done = installed.run("qa-queue", "demo", timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every case ended as it should." in done.stdout


def test_the_printed_migrations_are_those_of_the_checkout(installed: Installed) -> None:
    printed = installed.run("qa-queue", "migrate", "--print").stdout
    for path in MIGRATIONS.glob("*.sql"):
        assert path.read_text(encoding="utf-8").rstrip() in printed


def test_without_a_registry_the_alternative_is_named(installed: Installed, tmp_path: Path) -> None:
    """Nothing half-installed is left, and no process."""
    environment = {
        "XDG_CACHE_HOME": str(tmp_path),
        "npm_config_registry": "http://127.0.0.1:1/",
        "QA_HOME": str(tmp_path / "qa"),
    }
    installed.environment |= environment | {"npm_config_fetch_retries": "0"}
    try:
        failed = installed.run("qa-queue", "up")
    finally:
        for name in (*environment, "npm_config_fetch_retries"):
            del installed.environment[name]
    assert failed.returncode == 3
    assert "Supabase Lite could not be installed" in failed.stderr
    assert "SUPABASE_URL" in failed.stderr
    assert not list(tmp_path.glob("qa-queue/supabase-lite-*/node_modules"))
