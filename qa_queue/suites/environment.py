"""The environment of host processes and the state of a suite's files: user code never sees the service's keys."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_ALLOWED = frozenset(
    {"PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "DISPLAY", "SHELL", "TERM", "CI"}
    | {"PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_THEME"}
)
_ALLOWED_PREFIXES = ("LC_", "XDG_", "PLAYWRIGHT_", "PYTHON")
_OWN_PREFIXES = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "LOG_")
_WATCHED = frozenset(
    {".py", ".so", ".ini", ".toml", ".cfg", ".env", ".txt", ".md", ".rst", ".feature", ".sql", ".graphql", ".j2"}
    | {".json", ".jsonl", ".yaml", ".yml", ".csv", ".tsv"}
)
_SKIPPED = frozenset({"node_modules", "__pycache__", "test-results", "site-packages"})


def host_environment(
    own: Mapping[str, str], given: Mapping[str, str], also: Sequence[str] = (), *, chromium: Path | None = None
) -> dict[str, str]:
    """Return the variables of a host process.

    From the worker's environment (`own`) come those of an allow-list and those whose names the operator adds
    (`also`); never one of the service's settings or secrets. The values of the run (`given`) win.
    """
    names = {name for name in own if name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)} | set(also)
    kept = {name: own[name] for name in sorted(names) if name in own and not name.startswith(_OWN_PREFIXES)}
    values = {name: value for name, value in given.items() if not name.startswith(_OWN_PREFIXES)}
    return kept | values | ({"QA_SUITE_CHROMIUM": str(chromium)} if chromium else {})


def files_digest(root: Path) -> str:
    """Return a digest of path, size and time of change of the suite's files; it changes when one of them does.

    Hidden folders, virtual environments and results are passed over.
    """
    digest = hashlib.sha256()
    for entry in _files(str(root)):
        stat = entry.stat(follow_symlinks=False)
        digest.update(f"{entry.path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda one: one.name)
    for entry in ordered:
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_folder and not is_skipped_folder(Path(entry.path)):
            yield from _files(entry.path)
        elif not is_folder and (entry.name == ".env" or Path(entry.name).suffix in _WATCHED):
            yield entry


def is_skipped_folder(folder: Path) -> bool:
    """Return whether a suite leaves a folder out: hidden, a virtual environment, results, packages."""
    return folder.name.startswith(".") or folder.name in _SKIPPED or (folder / "pyvenv.cfg").exists()
