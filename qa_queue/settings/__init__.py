"""The settings, read once a process. A wrong value is refused with its name, its value and what is allowed.

The value of a secret is never shown. `Settings` is imported when it is first used: what only reads variables of the
environment does not need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qa_queue.settings.environment import (
    DOTENV,
    HOME,
    HOSTS_SUFFIX,
    SECRET_PREFIX,
    STACK_ENV,
    Secret,
    child_environment,
    env_files,
    read_every_secret,
    read_secrets,
    read_variables,
)

if TYPE_CHECKING:
    from qa_queue.settings.loading import load_settings, on_redis, with_overrides
    from qa_queue.settings.service import LogLevel, Settings

__all__ = [
    "DOTENV",
    "HOME",
    "HOSTS_SUFFIX",
    "SECRET_PREFIX",
    "STACK_ENV",
    "LogLevel",
    "Secret",
    "Settings",
    "child_environment",
    "env_files",
    "load_settings",
    "on_redis",
    "read_every_secret",
    "read_secrets",
    "read_variables",
    "with_overrides",
]

_MODULES = {
    "LogLevel": "service",
    "Settings": "service",
    "load_settings": "loading",
    "on_redis": "loading",
    "with_overrides": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
