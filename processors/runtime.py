"""The runtime of a process: its services, opened once and shared by all of its jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

from processors.base import BaseJobProcessor, Services
from processors.browser.egress.cache import HttpCache
from processors.browser.egress.schemes import denied_addresses
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionLimits
from processors.cleanup import CleanupProcessor
from processors.execution.network import egress_policy, hosts_in, own_urls
from processors.execution.records import stored_result
from processors.learning import LearningProcessor
from processors.suites.pool import HostPool
from processors.suites.processor import RunProcessor
from qa_queue.cases.reader import prepare_reader
from qa_queue.errors import InputError, QAError, StoreError
from qa_queue.extensions import catalogue, load_named
from qa_queue.models import JobContext, QueueName, RunStatus, RuntimeStatistics, utc_now
from qa_queue.models.outcomes import cancelled_result, failure_of
from qa_queue.progress import ProgressWriter
from qa_queue.queues.cancellation import CancelSignals
from qa_queue.queues.login_states import RedisLoginStates
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings
from qa_queue.settings.chromium import find_browser
from qa_queue.store.artifacts import ArtifactStore
from qa_queue.store.artifacts.opening import open_artifact_store
from qa_queue.store.artifacts.uploads import UploadQueue
from qa_queue.store.outbox import Outbox
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunRecord
from qa_queue.store.supabase import SupabaseStore
from qa_queue.store.writer import RecordWriter
from qa_queue.suites.bundle import BundleFolder

log = logging.getLogger(__name__)

FLUSH_TIMEOUT_S = 10.0
REDIS_TIMEOUT_S = 5.0  # a step waits for its progress report, so an unavailable Redis must fail soon

Processor = Callable[[Services, JobContext], BaseJobProcessor[Any, Any]]


class Runtime:
    """Runs jobs on one event loop; implements `qa_queue.worker.child.JobRuntime`.

    Processors of queues that installed packages add are found by their entry points. To serve a function in another
    way, subclass this with other `processors` and set QA_RUNTIME.
    """

    processors: ClassVar[Mapping[str, Processor]] = {
        "processors.entry.execute_run": RunProcessor,
        "processors.entry.clean_up": CleanupProcessor,
        "processors.entry.learn": LearningProcessor,
    }

    def __init__(self, settings: Settings, queues: Sequence[str]) -> None:
        self._settings = settings
        self._queues = queues
        self._stack = AsyncExitStack()
        self._opened: Services | None = None
        self._uploads: UploadQueue | None = None

    async def __aenter__(self) -> Self:
        """Connect, and start the browser if runs will be executed.

        Raises:
            SettingsError: SUPABASE_URL or its key is not set.
            InfrastructureError: Redis, Supabase or the browser is unavailable, or tables are missing.
        """
        async with AsyncExitStack() as stack:
            self._opened = await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def open_store(self, stack: AsyncExitStack) -> RunStore:
        """Return the store; the stack closes it.

        Raises:
            SettingsError: SUPABASE_URL or its key is not set.
        """
        store = SupabaseStore.from_settings(self._settings)
        stack.callback(store.close)
        return store

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        """Run one job and return its result as JSON.

        Raises:
            InputError: the payload cannot be read, or no processor serves this function.
            QAError: the processor failed.
        """
        processor = self.processors.get(function_name) or _added_processor(function_name)
        if processor is None:
            known = ", ".join(sorted({*self.processors, *(spec.function for spec in catalogue().added)}))
            raise InputError(f"job {context.job_id} calls {function_name}; known functions are {known}")
        return await processor(self.services, context).run(data)

    async def abandon(self, context: JobContext, error: QAError) -> None:
        """Record that a job ended with this error and gets no other attempt; the end of an ended run is kept.

        A run that was requeued since is left alone.

        Raises:
            StoreError: it could not be stored.
        """
        if context.queue != QueueName.TEST_EXECUTION:
            return
        run = await asyncio.to_thread(self._known_run, context.job_id)
        if run is not None and (run.status.final or run.requeues > context.requeues):
            return
        if run is not None and run.fence > context.attempt:  # Redis has older data than the database
            context = replace(context, attempt=run.fence)
        end = failure_of(error)
        fields = {
            "status": end.status,
            "error": str(error),
            "error_kind": end.error_kind,
            "finished_at": utc_now(),
        }
        try:
            await asyncio.to_thread(self._store_end, context, fields)
        finally:
            await asyncio.to_thread(self._progress.finish, context.job_id, end.status, str(error))

    async def release(self, context: JobContext) -> None:
        """Record that a run is queued again after this attempt; the end of an ended run is kept.

        Raises:
            StoreError: it could not be stored.
        """
        if context.queue == QueueName.TEST_EXECUTION:
            await asyncio.to_thread(self._store_end, context, {"status": RunStatus.QUEUED, "worker": None})

    async def find_result(self, context: JobContext) -> dict[str, Any] | None:
        """Return the result of a run that has ended according to its row; None if it has not, or is dead.

        Raises:
            StoreError: the row cannot be read now.
        """
        if context.queue != QueueName.TEST_EXECUTION:
            return None
        run = await asyncio.to_thread(self.services.store.get_run, context.job_id)
        if run is None or not run.status.final or run.status is RunStatus.DEAD:
            return None
        if run.status is RunStatus.CANCELLED:
            return cancelled_result(run.error or "")
        return stored_result(run).model_dump(mode="json")

    def obstacle(self) -> str | None:
        """Return the reason not to take more jobs now; None if there is no such reason."""
        return self._writer.obstacle or (self._uploads.obstacle if self._uploads else None)

    def statistics(self) -> RuntimeStatistics:
        """Return the browser's restarts, refused connections of runs, and the depth of the outbox."""
        depth = self._writer.depth
        return RuntimeStatistics(
            browser_restarts=self._browser.restarts,
            egress_refused=dict(self._browser.refused),
            outbox_bytes=depth.size,
            outbox_segments=depth.files,
        )

    @property
    def services(self) -> Services:
        """The services, while the runtime is entered."""
        assert self._opened is not None, "enter the runtime before calling it"
        return self._opened

    async def _open(self, stack: AsyncExitStack) -> Services:
        settings = self._settings
        redis = RedisClient(settings, socket_timeout=REDIS_TIMEOUT_S)
        stack.callback(redis.disconnect)
        connection = await asyncio.to_thread(redis.connect)
        store = self.open_store(stack)
        await asyncio.to_thread(store.check)
        outbox = Outbox(settings.outbox_dir, settings.qa_outbox_mb << 20)
        writer = self._writer = RecordWriter(store, outbox=outbox)
        stack.push_async_callback(_close_writer, writer)
        browser = self._browser = await self._new_browser()
        stack.push_async_callback(browser.close)
        if QueueName.TEST_EXECUTION in self._queues:
            await asyncio.gather(browser.start(), asyncio.to_thread(prepare_reader))
        artifacts = open_artifact_store(settings)
        bundles = BundleFolder(settings.qa_home.resolve(), artifacts, install=settings.qa_suite_install)
        hosts = HostPool(memory_bytes=settings.qa_suite_memory_mb << 20, bundles=bundles)
        stack.push_async_callback(hosts.close)
        self._progress = ProgressWriter(connection)
        self._uploads = await asyncio.to_thread(_start_uploads, settings, artifacts) if artifacts else None
        if self._uploads:
            stack.push_async_callback(asyncio.to_thread, self._uploads.close)
        return Services(
            settings=settings,
            store=store,
            writer=writer,
            progress=self._progress,
            cancels=CancelSignals(connection),
            browser=browser,
            artifacts_dir=settings.artifacts_dir,
            hosts=hosts,
            artifact_store=artifacts,
            uploads=self._uploads,
            login_states=RedisLoginStates(connection),
        )

    async def _new_browser(self) -> WarmBrowserPool:
        settings = self._settings
        return WarmBrowserPool(
            partial(find_browser, settings),
            denied=denied_addresses(own_urls(settings)),
            remote=hosts_in(settings, "qa_connect_hosts"),
            egress=await asyncio.to_thread(egress_policy, settings),
            limits=_limits(settings),
            cache=_cache(settings),
            max_download_bytes=settings.qa_max_download_mb * 1_000_000,
        )

    def _known_run(self, run_id: str) -> RunRecord | None:
        """Return the run's row; None if it does not exist or cannot be read now."""
        with suppress(StoreError):
            return self.services.store.get_run(run_id)
        return None

    def _store_end(self, context: JobContext, fields: dict[str, Any]) -> None:
        writer = self.services.writer
        writer.update_run(context.job_id, fence=context.attempt, **fields)
        writer.flush(FLUSH_TIMEOUT_S, context.job_id)


def _cache(settings: Settings) -> HttpCache | None:
    most = settings.qa_static_cache_mb << 20
    return HttpCache(settings.qa_home / "static-cache", most) if most else None


def _limits(settings: Settings) -> SessionLimits:
    return SessionLimits(
        received=settings.qa_run_network_mb << 20,
        response=settings.qa_run_response_mb << 20,
        pages=settings.qa_run_pages,
        dialogs=settings.qa_run_dialogs,
        downloads=settings.qa_run_downloads,
        elements=settings.qa_run_elements,
    )


def _added_processor(function_name: str) -> Processor | None:
    """Return the processor of a queue that an installed package adds; None if none serves this function.

    Raises:
        InputError: it cannot be loaded. The job becomes a dead letter, to be requeued once the package is fixed.
    """
    spec = catalogue().of_function(function_name)
    if spec is None or spec.processor is None:
        return None
    found = load_named(spec.processor)
    if not (isinstance(found, type) and issubclass(found, BaseJobProcessor)):
        package = catalogue().packages[spec.name]
        raise InputError(f"{spec.processor} of the package {package} should be a subclass of BaseJobProcessor.")
    return found


def _start_uploads(settings: Settings, store: ArtifactStore) -> UploadQueue:
    uploads = UploadQueue(
        settings.artifacts_dir, settings.qa_home / "uploads", store, limit=settings.qa_uploads_mb << 20
    )
    uploads.start()
    return uploads


async def _close_writer(writer: RecordWriter) -> None:
    try:
        await asyncio.to_thread(writer.close)
    except StoreError as error:
        log.error("Not every row could be stored: %s", error)  # noqa: TRY400 - the traceback adds nothing
