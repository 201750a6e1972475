"""One run: what is known of it, cancelling it, making it again."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import FileResponse

from qa_queue.api.artifacts import artifact_response
from qa_queue.api.auth import Reader, Runner
from qa_queue.api.errors import answers
from qa_queue.api.schemas.runs import Artifact, Artifacts, Cancelled, Position, RerunBody, Steps, Submitted
from qa_queue.api.submission import submitted
from qa_queue.services import Backend, submission
from qa_queue.store.records import RunRecord


def router(backend: Backend) -> APIRouter:
    """The operations on one run."""
    routes = APIRouter(prefix="/runs/{run_id}", tags=["runs"])

    @routes.get("", responses=answers(404), summary="Get a run")
    def get_run(run_id: str, _: Reader) -> RunRecord:
        """The run as it stands."""
        return backend.run(run_id)

    @routes.get("/steps", responses=answers(404), summary="Get a run's steps")
    def get_steps(run_id: str, _: Reader) -> Steps:
        """The steps that have ended, of every attempt."""
        run = backend.run(run_id)
        return Steps(steps=backend.store.list_steps([run.id]))

    @routes.get("/artifacts", responses=answers(404), summary="List a run's files")
    def get_artifacts(run_id: str, _: Reader) -> Artifacts:
        """Screenshots, traces and logs that the run left."""
        run = backend.run(run_id)
        found = backend.store.list_artifacts([run.id])
        return Artifacts(
            artifacts=[
                Artifact(**one.model_dump(), url=f"/api/v1/runs/{run.id}/artifacts/{one.id}") for one in found
            ]
        )

    @routes.get(
        "/artifacts/{artifact_id}",
        response_class=FileResponse,
        responses={
            200: {
                "description": "The file.",
                "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
            },
            **answers(404),
        },
        summary="Download a file",
    )
    def get_artifact(run_id: str, artifact_id: str, _: Reader) -> FileResponse:
        """The file itself; pictures are shown, everything else is saved."""
        return artifact_response(backend, run_id, artifact_id)

    @routes.get("/place", responses=answers(404), summary="Where a run stands in its queue")
    def get_place(run_id: str, _: Reader) -> Position:
        """Its place among those that wait, and about when it will start; 404 once it has started."""
        return Position(**asdict(backend.queues.get_position(backend.run(run_id).id)))

    @routes.post("/cancel", responses=answers(404), summary="Cancel a run")
    def cancel_run(run_id: str, caller: Runner) -> Cancelled:
        """A run that waits or is delayed never starts; a running one is asked to stop. It can be repeated."""
        run = backend.run(run_id)
        return Cancelled(run_id=run.id, outcome=backend.cancel([run.id], f"cancelled by {caller.name}")[run.id])

    @routes.post("/rerun", status_code=201, responses=answers(404, body=True), summary="Make a run again")
    def rerun_run(run_id: str, caller: Runner, body: RerunBody | None = None) -> Submitted:
        """A new run of the same case, as the case is now, on the same host and with the same settings."""
        return submitted(submission.rerun_run(backend, run_id, user=caller.name, env=body.env if body else {}))

    return routes
