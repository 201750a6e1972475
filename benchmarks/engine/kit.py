"""The others' programs, installed once into `benchmarks/.cache`: a Python of their own, and packages for Node."""

from __future__ import annotations

import compileall
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from qa_queue.local.binaries import find_node

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "benchmarks" / ".cache"
SCRIPTS = Path(__file__).parent / "js"
_NO_BROWSERS = {"PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1", "PUPPETEER_SKIP_DOWNLOAD": "1"}


@dataclass(frozen=True)
class Kit:
    """`python` has the dependency group `bench`; in `folder` lie the scripts for `node`, beside their packages."""

    python: Path
    node: Path
    folder: Path

    @property
    def playwright_test(self) -> list[str | Path]:
        """The command of Playwright Test."""
        return [self.node, self.folder / "node_modules" / "@playwright" / "test" / "cli.js", "test"]


def install() -> Kit:
    """Install what is missing.

    Raises:
        SystemExit: a package index cannot be reached.
    """
    kit = install_node()
    _install_python(kit.python)
    return kit


def _install_python(python: Path) -> None:
    """The same Playwright as ours, so that the versions do not differ."""
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["bench"]
    wanted = [*group, f"playwright=={importlib.metadata.version('playwright')}"]
    note = HOME / "python.txt"
    if python.is_file() and note.is_file() and note.read_text() == "\n".join(wanted):
        return
    print("installing into", HOME / "python", "...", flush=True)
    _run([sys.executable, "-m", "venv", HOME / "python"])
    _run([python, "-m", "pip", "install", "-qqq", "--disable-pip-version-check", *wanted])
    note.write_text("\n".join(wanted))


def install_node() -> Kit:
    """Install what is missing for Node only; raises as `install` does.

    Our own modules are compiled, as pip compiles those that it installs: with PYTHONDONTWRITEBYTECODE, each command
    of a checkout would compile them again.
    """
    for package in ("qa_queue", "processors"):
        compileall.compile_dir(ROOT / package, quiet=1)
    kit = Kit(HOME / "python" / "bin" / "python", find_node(), HOME / "js")
    kit.folder.mkdir(parents=True, exist_ok=True)
    before = kit.folder / "package.json"
    same = before.is_file() and before.read_bytes() == (SCRIPTS / "package.json").read_bytes()
    if not same or not (kit.folder / "node_modules" / ".package-lock.json").is_file():
        print("installing into", kit.folder, "...", flush=True)
        shutil.copy(SCRIPTS / "package.json", kit.folder)
        npm = shutil.which("npm") or str(kit.node.with_name("npm"))
        _run([npm, "install", "--silent", "--no-audit", "--no-fund"], cwd=kit.folder)
    for script in SCRIPTS.glob("*.*js"):
        shutil.copy(script, kit.folder)
    return kit


def _run(command: list[str | Path], cwd: Path = ROOT) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=kept | _NO_BROWSERS, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} ... failed: is a package index reachable?")
