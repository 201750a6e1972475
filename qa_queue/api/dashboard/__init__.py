"""rq-dashboard for our queues: on loopback, behind a login, for JSON jobs, with nothing raw in its pages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qa_queue.errors import InputError

if TYPE_CHECKING:
    from qa_queue.services import Backend
    from qa_queue.settings import Settings

__all__ = ["HOST", "create_app", "serve"]

HOST = "127.0.0.1"


def create_app(settings: Settings, behind: Backend | None = None) -> Any:
    """The dashboard as a WSGI application with a login of its own, or `behind` that of the pages of a service.

    Raises:
        SettingsError: QA_DASHBOARD_PASSWORD is not set.
        InputError: the package is installed without its `dashboard` extra.
        RedisUnavailableError: Redis cannot be reached.
    """
    return _load("qa_queue.api.dashboard.app").build(settings, behind)


def serve(settings: Settings) -> None:
    """Serve the dashboard on 127.0.0.1 at QA_DASHBOARD_PORT until interrupted; raises as `create_app` does."""
    _load("waitress").serve(create_app(settings), host=HOST, port=settings.qa_dashboard_port, threads=8, ident=None)


def _load(module: str) -> Any:
    """Import what the extra brings; an installation without it still has every other command."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"The dashboard needs {error.name}, which is not installed: pip install 'qa-queue[dashboard]'"
        ) from error
