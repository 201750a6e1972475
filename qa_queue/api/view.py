"""What the pages show: values from Redis and the store, made ready for the templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qa_queue.errors import NotFoundError, QAError
from qa_queue.queues import QueueManager
from qa_queue.redis import RedisClient
from qa_queue.settings import Settings
from qa_queue.store.base import RunStore
from qa_queue.store.records import ArtifactRecord, RunRecord
from qa_queue.store.supabase import SupabaseStore

NEWEST = 50


class Site:
    """The data behind the pages; opens Redis and the store when first needed, so that it starts without them."""

    def __init__(self, settings: Settings, store: RunStore | None = None) -> None:
        self._settings = settings
        self._client = RedisClient(settings)
        self._given_store = store

    @property
    def _store(self) -> RunStore:
        if self._given_store is None:
            self._given_store = SupabaseStore.from_settings(self._settings)
        return self._given_store

    def overview(self) -> dict[str, Any]:
        """The queues and the newest runs."""
        stats = QueueManager(self._client.connect(), self._settings).get_queue_stats()
        runs = self._store.list_runs(limit=NEWEST)
        return {
            "queues": list(stats.values()),
            "runs": runs,
            "names": self._names(runs),
            "dashboard_url": f"http://127.0.0.1:{self._settings.qa_dashboard_port}/",
        }

    def run(self, run_id: str) -> dict[str, Any]:
        """One run with its steps and artifacts.

        Raises:
            NotFoundError: there is none with this id.
        """
        run = self._found(run_id)
        artifacts = self._store.list_artifacts([run_id])
        return {
            "run": run,
            "name": self._names([run])[run.test_case_id],
            "steps": self._store.list_steps([run_id]),
            "pictures": [a for a in artifacts if a.content_type.startswith("image/")],
            "files": [a for a in artifacts if not a.content_type.startswith("image/")],
        }

    def artifact(self, run_id: str, artifact_id: str) -> tuple[Path, str]:
        """Where an artifact's file is, and its content type.

        Raises:
            NotFoundError: there is no such artifact, or its path leaves the artifacts folder.
        """
        self._found(run_id)
        found = next((a for a in self._store.list_artifacts([run_id]) if a.id == artifact_id), None)
        if found is None:
            raise NotFoundError(f"run {run_id} has no artifact {artifact_id!r}.")
        return self._inside(found), found.content_type

    def problems(self) -> dict[str, str]:
        """What keeps the service from working, by part; empty when it is ready."""
        problems: dict[str, str] = {}
        health = self._client.health_check()
        if health.error:
            problems["redis"] = health.error
        try:
            self._store.check()
        except QAError as error:
            problems["supabase"] = str(error)
        return problems

    def _found(self, run_id: str) -> RunRecord:
        run = self._store.get_run(run_id)
        if run is None:
            raise NotFoundError(f"there is no run {run_id!r}.")
        return run

    def _names(self, runs: list[RunRecord]) -> dict[str, str]:
        found = {case_id: self._store.get_case(case_id) for case_id in {run.test_case_id for run in runs}}
        return {case_id: case.name if case else case_id for case_id, case in found.items()}

    def _inside(self, artifact: ArtifactRecord) -> Path:
        root = self._settings.artifacts_dir.resolve()
        path = (root / artifact.path).resolve()
        if not path.is_relative_to(root):
            raise NotFoundError(f"artifact {artifact.id} is not in the artifacts folder.")
        return path
