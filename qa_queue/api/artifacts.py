"""Serving the files that runs left."""

from __future__ import annotations

from fastapi.responses import FileResponse

from qa_queue.errors import NotFoundError
from qa_queue.services import Backend
from qa_queue.store.artifacts import missing_file
from qa_queue.store.records import ArtifactRecord

# What a browser may show in place; anything else could be a page with scripts of the site under test.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


def is_picture(artifact: ArtifactRecord) -> bool:
    """Return whether a page may show it."""
    return artifact.content_type in _SHOWN


def find_artifact(backend: Backend, run_id: str, artifact_id: str) -> ArtifactRecord:
    """Return the row of an artifact.

    Raises:
        NotFoundError: there is no such run or artifact.
    """
    run = backend.run(run_id)
    found = next((a for a in backend.store.list_artifacts([run.id]) if a.id == artifact_id), None)
    if found is None:
        raise NotFoundError(f"run {run_id} has no artifact {artifact_id!r}.")
    return found


def artifact_response(backend: Backend, run_id: str, artifact_id: str) -> FileResponse:
    """The file of an artifact.

    Raises:
        NotFoundError: there is no such run, artifact or file, or the file is not in the artifacts folder.
        ArtifactStoreError: the artifact store cannot be used now.
    """
    run, found = backend.run(run_id), find_artifact(backend, run_id, artifact_id)
    path = backend.artifacts.find(found.path)
    if path is None:
        raise NotFoundError(missing_file(backend.artifacts, found.path, run.worker))
    return FileResponse(
        path,
        media_type=found.content_type if is_picture(found) else "application/octet-stream",
        filename=path.name,
        content_disposition_type="inline" if is_picture(found) else "attachment",
    )
