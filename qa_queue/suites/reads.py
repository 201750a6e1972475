"""The files and folders that a process reads, on which its result depends, and their states.

Python reports each `open`, listing, connection and child process to audit hooks (PEP 578), so what a collection
depends on is observed, not guessed. Host processes load this file by its path, so it imports the standard library
alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import site
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_LISTINGS = ("os.listdir", "os.scandir")
_OUTSIDE = frozenset(  # what has no state to compare: the network, other programs, databases
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "sqlite3.connect"}
    | {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}
)
_WRITES = os.O_WRONLY | os.O_RDWR
_CACHES = frozenset({"__pycache__", ".pytest_cache", ".git", "test-results"})  # change without changing the result
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_SETTINGS = ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "pyproject.toml", "tox.ini", "setup.cfg")
_PLUGINS = ("conftest.py", "__init__.py")


class Reads:
    """The reads of this process since `watch`: `states` by path, and `outside`, an event that has no state."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.outside: str | None = None
        self._folder = os.getcwd()  # noqa: PTH109
        self._packages = tuple(f"{folder}{os.sep}" for folder in package_folders())

    def watch(self) -> None:
        """Observe this process until it ends."""
        sys.addaudithook(self._observe)

    def add(self, paths: Iterable[str]) -> None:
        """Note the states of these paths, which need not exist."""
        for path in paths:
            self._note(path)

    def add_modules(self, modules: Iterable[Any]) -> None:
        """Note the states of the files of modules that are neither in the current folder nor in a package.

        Links and `..` are followed, so a module is where its file is; a hidden folder does not count as inside.
        """
        for module in modules:
            with contextlib.suppress(AttributeError):  # without `getattr`, which would load a lazy module
                path = object.__getattribute__(module, "__dict__").get("__file__")
                if isinstance(path, str) and not path.startswith(self._packages):
                    self._note_outside(os.path.realpath(path))

    def _note_outside(self, path: str) -> None:
        inside = path.removeprefix(f"{self._folder}{os.sep}")
        hidden = inside.startswith(".") or f"{os.sep}." in inside
        if (inside == path or hidden) and not path.startswith(self._packages):
            self._note(path)

    def _observe(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & _WRITES):
                self._read(path)
        elif event in _LISTINGS:
            self._read(arguments[0] or ".")
        elif event in _OUTSIDE:
            self.outside = self.outside or event

    def _read(self, path: Any) -> None:
        if isinstance(path, int):  # an open file
            return
        with contextlib.suppress(TypeError, ValueError, OSError):
            whole = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - links stay, and this is called often
            if not whole.startswith((*self._packages, *_SYSTEM)):
                self._note(_source_of(whole))

    def _note(self, path: str) -> None:
        below = path.removeprefix(self._folder).split(os.sep)  # noqa: PTH206 - a string, not a path
        if path not in self.states and _CACHES.isdisjoint(below):
            self.states[path] = ""  # a listing is observed too
            self.states[path] = state_of(path)


def package_folders() -> list[str]:
    """Return the folders of the standard library and of installed packages."""
    known = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return sorted({*known, *site.getsitepackages(), site.getusersitepackages()} - {None})


def surroundings(folder: str, files: Iterable[str]) -> Iterator[str]:
    """Yield files that pytest looks for without opening them: settings above a folder, conftests above files."""
    for place in _upwards(folder):
        yield from (os.path.join(place, name) for name in (*_SETTINGS, *_PLUGINS))  # noqa: PTH118
    for place in {os.path.dirname(file) for file in files}:  # noqa: PTH120
        for above in _upwards(place):
            yield from (os.path.join(above, name) for name in _PLUGINS)  # noqa: PTH118


def state_of(path: str) -> str:
    """Return what changes when a file or the names in a folder do; empty if the path does not exist."""
    try:
        entry = os.stat(path)  # noqa: PTH116
        if not stat.S_ISDIR(entry.st_mode):
            return f"{entry.st_size} {entry.st_mtime_ns}"
        names = sorted(name for name in os.listdir(path) if name not in _CACHES)  # noqa: PTH208
    except (OSError, ValueError):
        return ""
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def unchanged(states: Mapping[str, str]) -> bool:
    """Return whether all these paths have the states that were noted."""
    return all(state_of(path) == state for path, state in states.items())


def _source_of(path: str) -> str:
    """Return the file that a path stands for: of compiled code its source."""
    folder, name = os.path.split(path)
    if not name.endswith(".pyc") or os.path.basename(folder) != "__pycache__":  # noqa: PTH119
        return path
    return os.path.join(os.path.dirname(folder), f"{name.partition('.')[0]}.py")  # noqa: PTH118, PTH120


def _upwards(folder: str) -> Iterator[str]:
    while True:
        yield folder
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return
        folder = above
