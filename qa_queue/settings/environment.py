"""The environment and the files beside it: the only place that reads them.

Sources, the first wins: the process environment, `.env`, `stack.env` in QA_HOME (written by a running embedded
stack, so that every command in the same folder finds it).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from qa_queue.errors import InputError

HOME = Path(".qa")
STACK_ENV = "stack.env"  # in the home folder
DOTENV = Path(".env")
SECRET_PREFIX = "QA_SECRET_"  # noqa: S105 - the prefix of a name, no password
HOSTS_SUFFIX = "_HOSTS"
_OWN = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_")


def env_files(home: Path | None = None) -> tuple[Path, Path]:
    """The files that settings are read from, the least first: a running stack's in the home folder, then `.env`."""
    return _stack_file(home or _home_in(_variables_in(DOTENV))), DOTENV


def environment() -> dict[str, str]:
    """Return all variables of the environment and the files, with their values."""
    own = _variables_in(DOTENV)
    return _variables_in(_stack_file(_home_in(own))) | own | dict(os.environ)


def _home_in(own: dict[str, str]) -> str | None:
    return os.environ.get("QA_HOME") or own.get("QA_HOME")


def _stack_file(home: Path | str | None) -> Path:
    return Path(home or HOME) / STACK_ENV


def _variables_in(file: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def child_environment(additions: dict[str, str]) -> dict[str, str]:
    """This process's environment with additions, for the processes that it starts."""
    return dict(os.environ) | additions


@contextmanager
def added_variables(additions: dict[str, str]) -> Iterator[None]:
    """Set variables of this process meanwhile, for a library that copies them into a process that it starts."""
    before = {name: os.environ.get(name) for name in additions}
    os.environ.update(additions)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def read_variables(names: frozenset[str]) -> dict[str, str]:
    """The values of these environment variables, for `${env.X}`; missing ones are left out.

    Raises:
        InputError: a name belongs to the service's own settings, which never travel in a payload.
    """
    own = sorted(n for n in names if n.startswith(_OWN))
    if own:
        raise InputError(
            f"${{env.{own[0]}}} is a setting of the service and is not given to cases: "
            f"use ${{secret.NAME}} and set {SECRET_PREFIX}NAME for the workers."
        )
    source = environment() if names else {}
    return {name: source[name] for name in names if name in source}


@dataclass(frozen=True)
class Secret:
    """A secret of cases; `hosts` lists those on which it may be used, None where the operator names none."""

    value: str = field(repr=False)
    hosts: str | None = None


def read_secrets(names: frozenset[str]) -> dict[str, Secret]:
    """Return these secrets from `QA_SECRET_<name>`; missing ones are left out. Workers only."""
    source = environment()
    known = (name for name in names if SECRET_PREFIX + name in source and not name.endswith(HOSTS_SUFFIX))
    return {n: Secret(source[SECRET_PREFIX + n], source.get(SECRET_PREFIX + n + HOSTS_SUFFIX)) for n in known}


def read_every_secret() -> dict[str, str]:
    """Return the values of all secrets that this process knows, by name: to mask them in what it writes."""
    source = environment()
    names = (n for n in source if n.startswith(SECRET_PREFIX) and not n.endswith(HOSTS_SUFFIX))
    return {name.removeprefix(SECRET_PREFIX): source[name] for name in names}
