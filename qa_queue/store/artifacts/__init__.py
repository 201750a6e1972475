"""The artifact store: the place of the files that runs leave, for all machines."""

from qa_queue.store.artifacts.files import ArtifactFiles, missing_file, save_artifacts
from qa_queue.store.artifacts.stores import (
    ArtifactRefusedError,
    ArtifactStore,
    ArtifactStoreError,
    FolderStore,
    RunFiles,
)

__all__ = [
    "ArtifactFiles",
    "ArtifactRefusedError",
    "ArtifactStore",
    "ArtifactStoreError",
    "FolderStore",
    "RunFiles",
    "missing_file",
    "save_artifacts",
]
