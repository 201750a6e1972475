"""Arguments for the pytest of a suite that a test runs: without the plugins of this project's own tests."""

from __future__ import annotations

# They take a second to import; qa-queue's own plugin stays.
_PLUGINS = (
    "cacheprovider",
    "schemathesis",
    "playwright",
    "base_url",
    "asyncio",
    "anyio",
    "hypothesispytest",
    "xdist",
)


def without_plugins(*, keep: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the arguments that leave these plugins out, except those to keep."""
    return tuple(word for name in _PLUGINS if name not in keep for word in ("-p", f"no:{name}"))
