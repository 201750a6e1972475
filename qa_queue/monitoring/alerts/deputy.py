"""A watch in a thread of a process that has other work: it looks only while there is no scheduler to do so."""

from __future__ import annotations

import logging
import os
import socket
import threading
from importlib import import_module

from qa_queue.errors import QAError
from qa_queue.monitoring.alerts.monitor import AlertMonitor
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore

log = logging.getLogger(__name__)

LOOK_S = 1.0
_STORE = "qa_queue.store.supabase"  # loaded by who watches: a deputy may never do
GRACE_S = 5.0  # for messages on their way when the process ends


def watch_of(settings: Settings, role: str, *, deputy: bool) -> AlertMonitor:
    """The watch of this process, named after its role, host and id."""
    name = f"{role} {socket.gethostname()}:{os.getpid()}"
    check = _StoreCheck(settings).check if settings.supabase_url else None
    return AlertMonitor(settings, name=name, deputy=deputy, check_store=check)


class Deputy:
    """Watches in a thread from `start` to `stop`. Nothing that goes wrong in it reaches the process."""

    def __init__(self, settings: Settings, role: str) -> None:
        self._settings = settings
        self._role = role
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts deputy", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; waits for it a moment."""
        self._stop.set()
        self._thread.join(GRACE_S)

    def _run(self) -> None:
        watch = watch_of(self._settings, self._role, deputy=True)
        while not self._stop.wait(LOOK_S):
            try:
                watch.look()
            except QAError as error:
                log.debug("The deputy's look failed: %s", error)
            except Exception:
                log.exception("The deputy's look failed; this is a fault of its own")
        watch.close(GRACE_S)


class _StoreCheck:
    """Looks at Supabase, over lines that are opened at the first look."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: RunStore | None = None

    def check(self) -> None:
        """Return when it answers; raise a `QAError` otherwise."""
        store = self._store or import_module(_STORE).SupabaseStore.from_settings(self._settings)
        self._store = store
        store.check()
