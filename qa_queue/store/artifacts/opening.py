"""The artifact store that the settings name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from qa_queue.errors import SettingsError
from qa_queue.settings import Settings
from qa_queue.store.artifacts.stores import ArtifactStore, FolderStore

_FORMS = "supabase:BUCKET, s3://BUCKET/PREFIX or file:///FOLDER"


def open_artifact_store(settings: Settings) -> ArtifactStore | None:
    """Return the store that QA_ARTIFACTS names, without connecting; None if files stay on the machine.

    Raises:
        SettingsError: it cannot be read, or what it needs is missing.
    """
    text = settings.qa_artifacts.strip()
    if not text:
        return None
    url = urlsplit(text)
    match url.scheme:
        case "file" if url.path.strip("/") and not url.netloc:
            return FolderStore(Path(unquote(url.path)))
        case "supabase" if url.path and "/" not in url.path:
            return _supabase(settings, url.path)
        case "s3" if url.netloc:
            return _s3(settings, url.netloc, url.path)
        case _:
            raise SettingsError(f"QA_ARTIFACTS is {text!r}: use {_FORMS}, or leave it empty.")


def _supabase(settings: Settings, bucket: str) -> ArtifactStore:
    from qa_queue.store.artifacts.supabase import SupabaseBucket
    from qa_queue.store.client import project_of

    return SupabaseBucket(*project_of(settings), bucket)


def _s3(settings: Settings, bucket: str, path: str) -> ArtifactStore:
    try:
        from qa_queue.store.artifacts.s3 import S3Bucket
    except ImportError:
        raise SettingsError("QA_ARTIFACTS names S3, which needs boto3: pip install 'qa-queue[s3]'.") from None
    return S3Bucket(bucket, path.strip("/"), settings.qa_s3_endpoint)
