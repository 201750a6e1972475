"""Serving the files that runs left."""

from __future__ import annotations

from pathlib import Path

from fastapi.responses import FileResponse

from qa_queue.errors import NotFoundError
from qa_queue.services import Backend
from qa_queue.store.records import ArtifactRecord

# What a browser may show in place; anything else could be a page with scripts of the site under test.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


def is_picture(artifact: ArtifactRecord) -> bool:
    """Return whether a page may show it."""
    return artifact.content_type in _SHOWN


def artifact_response(backend: Backend, run_id: str, artifact_id: str) -> FileResponse:
    """The file of an artifact.

    Raises:
        NotFoundError: there is no such run, artifact or file, or the file is not in the artifacts folder.
    """
    run = backend.run(run_id)
    found = next((a for a in backend.store.list_artifacts([run.id]) if a.id == artifact_id), None)
    if found is None:
        raise NotFoundError(f"run {run_id} has no artifact {artifact_id!r}.")
    path = _path(backend.settings.artifacts_dir, found)
    return FileResponse(
        path,
        media_type=found.content_type if is_picture(found) else "application/octet-stream",
        filename=path.name,
        content_disposition_type="inline" if is_picture(found) else "attachment",
    )


def _path(folder: Path, artifact: ArtifactRecord) -> Path:
    root = folder.resolve()
    path = (root / artifact.path).resolve()
    if not path.is_relative_to(root):
        raise NotFoundError(f"artifact {artifact.id} is not in the artifacts folder.")
    if not path.is_file():
        raise NotFoundError(f"the file of artifact {artifact.id} is gone from the artifacts folder.")
    return path
