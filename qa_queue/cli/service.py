"""What a command needs to talk to the service: settings, Redis, the store, opened and checked once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from redis import Redis

from qa_queue.cli.render import RunReport
from qa_queue.errors import NotFoundError
from qa_queue.logs import configure_logging
from qa_queue.progress import ProgressReader
from qa_queue.queues import QueueManager
from qa_queue.queues.cancellation import CancelOutcome, cancel_runs
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings, load_settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunRecord
from qa_queue.store.supabase import SupabaseStore


@dataclass(frozen=True, kw_only=True)
class CommandServices:
    """An open connection to the whole service."""

    settings: Settings
    redis: Redis
    store: RunStore

    @property
    def queues(self) -> QueueManager:
        """The queues on this Redis."""
        return QueueManager(self.redis, self.settings)

    @property
    def progress(self) -> ProgressReader:
        """The live progress of runs."""
        return ProgressReader(self.redis)

    def run(self, run_id: str) -> RunRecord:
        """The run.

        Raises:
            NotFoundError: there is none with this id.
        """
        found = self.store.get_run(run_id)
        if found is None:
            raise NotFoundError(f"there is no run {run_id!r}: `qa-queue runs` lists the newest.")
        return found

    def reports(self, run_ids: Iterable[str], notes: dict[str, str] | None = None) -> list[RunReport]:
        """What the store has of these runs, in this order; a run without a row is left out."""
        wanted = list(run_ids)
        artifacts = self.store.list_artifacts(wanted)
        runs = [run for run in map(self.store.get_run, wanted) if run is not None]
        names = self.case_names({run.test_case_id for run in runs})
        return [
            RunReport(
                case_name=names[run.test_case_id],
                run=run,
                artifacts=tuple(a for a in artifacts if a.test_run_id == run.id),
                artifacts_dir=self.settings.artifacts_dir,
                note=(notes or {}).get(run.id, ""),
            )
            for run in runs
        ]

    def case_names(self, case_ids: Iterable[str]) -> dict[str, str]:
        """The names of these cases; an id without a row names itself."""
        found = {case_id: self.store.get_case(case_id) for case_id in case_ids}
        return {case_id: case.name if case else case_id for case_id, case in found.items()}

    def cancel(self, run_ids: Iterable[str], reason: str) -> dict[str, CancelOutcome]:
        """Cancel runs: one that waits ends here and now, with its row; a running one is told to stop."""
        return cancel_runs(self.redis, self.store, list(run_ids), reason)


def open_settings() -> Settings:
    """The settings, with logging set up as they say."""
    settings = load_settings()
    configure_logging(settings.log_level if settings.log_level != "INFO" else "WARN", settings.log_format)
    return settings


def open_service(settings: Settings | None = None) -> CommandServices:
    """Connect to Redis and the store, and see that both can be used.

    Raises:
        RedisUnavailableError, StoreError: what cannot be used, and what to do.
        SettingsError: a setting is wrong or missing.
    """
    settings = settings or open_settings()
    redis = RedisClient(settings).connect()
    store = SupabaseStore.from_settings(settings)
    store.check()
    return CommandServices(settings=settings, redis=redis, store=store)
