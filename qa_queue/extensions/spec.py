"""The definition of a queue as a value, and the import of what it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from qa_queue.errors import InputError
from qa_queue.models.payloads import MAX_ATTEMPTS
from qa_queue.models.values import EXPONENTIAL, Backoff

TIMEOUT_S = 3600
LONGEST_S = 24 * 3600
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 50
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_OBJECT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class ExtensionSpec:
    """A queue: its `name`, the dotted path of its job function, and the model of its payload.

    `processor` is the class that does its jobs, as `module:Class`, imported by workers alone; the service's own
    queues have none here, for the runtime has theirs. `router` is, as `module:function`, what makes the queue's
    operations for the API from a `Backend`. `attempts` (None: QUEUE_MAX_ATTEMPTS), `backoff` and `timeout_s` hold
    for jobs that do not say otherwise. `migrations` is a folder of SQL files for the embedded Supabase.

    Raises:
        InputError: a value cannot be what it should be.
    """

    name: str
    function: str
    payload: type[BaseModel]
    processor: str | None = None
    router: str | None = None
    attempts: int | None = None
    backoff: Backoff = EXPONENTIAL
    timeout_s: int = TIMEOUT_S
    migrations: Path | None = None

    def __post_init__(self) -> None:
        problems = [problem for holds, problem in self._checks() if not holds]
        if problems:
            raise InputError(f"the queue {self.name!r} cannot be used: {'; '.join(problems)}.")

    def _checks(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                _matches(_NAME, self.name) and len(self.name) <= _LONGEST_NAME,
                f"its name should be lower-case words joined by hyphens, at most {_LONGEST_NAME} characters",
            ),
            (
                _matches(_FUNCTION, self.function),
                f"function={self.function!r} should be a dotted path, as package.module.name",
            ),
            (
                isinstance(self.payload, type) and issubclass(self.payload, BaseModel),
                f"payload={self.payload!r} should be a pydantic model",
            ),
            *(
                (
                    path is None or _matches(_OBJECT, path),
                    f"{what}={path!r} should be written as package.module:name",
                )
                for what, path in (("processor", self.processor), ("router", self.router))
            ),
            (
                self.attempts is None or _within(self.attempts, MAX_ATTEMPTS),
                f"attempts={self.attempts!r} should be 1 to {MAX_ATTEMPTS}",
            ),
            (isinstance(self.backoff, Backoff), f"backoff={self.backoff!r} should be a Backoff"),
            (
                self.migrations is None or isinstance(self.migrations, Path),
                f"migrations={self.migrations!r} should be a Path",
            ),
            (
                _within(self.timeout_s, LONGEST_S),
                f"timeout_s={self.timeout_s!r} should be 1 to {LONGEST_S}",
            ),
        )


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _within(number: object, most: int) -> bool:
    return isinstance(number, int) and 1 <= number <= most


def load_named(path: str) -> Any:
    """The object at `module:name`.

    Raises:
        InputError: it cannot be imported; says why.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (Exception, SystemExit) as error:  # another package's code runs here, and may raise whatever it likes
        raise InputError(f"{path} cannot be loaded ({type(error).__name__}: {error}).") from error
