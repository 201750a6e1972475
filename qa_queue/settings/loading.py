"""Reading the settings, and settings with some values replaced."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from qa_queue.errors import SettingsError
from qa_queue.errors.validation import Problem, problems_of
from qa_queue.settings.environment import env_files
from qa_queue.settings.service import Settings


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over every source.

    Raises:
        SettingsError: a value is not allowed.
    """
    try:
        return Settings(_env_file=env_files(overrides.get("qa_home")), **overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(map(_setting_error, problems_of(error, Settings)))) from None


def with_overrides(settings: Settings, **overrides: Any) -> Settings:
    """The same settings with some replaced; a copy, since `redis_dsn` is worked out once for each object."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load_settings(**(given | overrides))


def on_redis(settings: Settings, url: str) -> Settings:
    """The same settings with this Redis as the main one, whatever named another."""
    sentinel = {name: None for name in Settings.model_fields if name.startswith("redis_sentinel")}
    return with_overrides(settings, redis_url=url, **sentinel)


def _setting_error(problem: Problem) -> str:
    """Return the message of one fault, with the variable's name; a fault of several settings names them itself."""
    if not problem.path:
        return problem.text
    return f"{str(problem.path[0]).upper()}: {problem.text}. Set it in the environment or in .env."
