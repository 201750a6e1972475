"""Lua scripts as files: each is one atomic step inside Redis, in the folder `lua` of the package that calls it.

A file begins with a comment that documents its keys, its arguments, its reply and the invariants that it keeps. A
line `-- include: NAME` puts NAME.lua of the same folder before it, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from redis import Redis

_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class LuaScript:
    """A script that Redis runs as one step."""

    text: str

    @classmethod
    def load(cls, package: str, name: str) -> LuaScript:
        """Load `lua/NAME.lua` of a package with the files that it includes.

        Raises:
            FileNotFoundError: the script or a file that it includes does not exist.
        """
        return cls("\n".join(_texts(files(package) / "lua", name, set())))

    def run(self, connection: Redis, keys: Sequence[str] = (), args: Sequence[Any] = ()) -> Any:
        """Run the script and return its reply; Redis receives the text only where it does not know it yet.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        return connection.register_script(self.text)(keys=keys, args=args)

    def add_to(self, pipeline: Any, keys: Sequence[str] = (), args: Sequence[Any] = ()) -> None:
        """Add the script to a pipeline, or run it on a connection, which sends its text."""
        pipeline.eval(self.text, len(keys), *keys, *args)


def _texts(folder: Traversable, name: str, seen: set[str]) -> Iterable[str]:
    if name in seen:
        return
    seen.add(name)
    text = (folder / f"{name}.lua").read_text(encoding="utf-8")
    for included in _INCLUDE.findall(text):
        yield from _texts(folder, included, seen)
    yield text
