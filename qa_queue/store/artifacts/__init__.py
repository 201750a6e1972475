"""The artifact store: the place of the files that runs leave, for all machines."""

from qa_queue.store.artifacts.files import ArtifactFiles
from qa_queue.store.artifacts.stores import (
    ArtifactRefusedError,
    ArtifactStore,
    ArtifactStoreError,
    FolderStore,
    RunFiles,
)
from qa_queue.store.artifacts.uploads import UploadQueue

__all__ = [
    "ArtifactFiles",
    "ArtifactRefusedError",
    "ArtifactStore",
    "ArtifactStoreError",
    "FolderStore",
    "RunFiles",
    "UploadQueue",
]
