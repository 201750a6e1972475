"""The artifact store in a bucket of Amazon S3, or of a server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from qa_queue.errors import NotFoundError
from qa_queue.store.artifacts.stores import ArtifactRefusedError, ArtifactStoreError, RunFiles
from qa_queue.store.mapping import chunks

_BATCH = 1000  # objects that S3 deletes in one call
_ABSENT = {"404", "NoSuchKey", "NotFound"}


class S3Bucket:
    """A bucket that exists, below a prefix. The login is found as the AWS command line finds it."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None) -> None:
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        config = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 2})
        self._s3: Any = boto3.client("s3", endpoint_url=endpoint, config=config)
        self._transfer = TransferConfig(use_threads=False)

    def close(self) -> None:
        """Close the connections."""
        self._s3.close()

    def put(self, path: str, source: Path, content_type: str) -> None:
        """Upload a file."""
        with self._errors(path):
            self._s3.upload_file(
                str(source),
                self._bucket,
                self._prefix + path,
                ExtraArgs={"ContentType": content_type},
                Config=self._transfer,
            )

    def fetch(self, path: str, target: Path) -> None:
        """Download a file."""
        with self._errors(path):
            self._s3.download_file(self._bucket, self._prefix + path, str(target), Config=self._transfer)

    def measure(self, run_id: str) -> RunFiles:
        """Return what a run has in the bucket."""
        return _total(run_id, self._objects(f"{run_id}/"))

    def delete(self, run_id: str) -> RunFiles:
        """Delete the files of a run."""
        objects = list(self._objects(f"{run_id}/"))
        for batch in chunks(objects, _BATCH):
            self._delete([one["Key"] for one in batch], run_id)
        return _total(run_id, objects)

    def delete_file(self, path: str) -> None:
        """Delete one file."""
        self._delete([self._prefix + path], path)

    def runs(self) -> Iterator[RunFiles]:
        """Go through the runs; S3 lists keys in order, so those of a run are neighbours."""
        for run_id, objects in groupby(self._objects(""), self._run_of):
            yield _total(run_id, objects)

    def _delete(self, keys: Sequence[str], path: str) -> None:
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        with self._errors(path):
            answer = self._s3.delete_objects(Bucket=self._bucket, Delete=wanted)
        if failed := answer.get("Errors"):
            key, text = failed[0]["Key"], failed[0].get("Message")
            raise ArtifactStoreError(f"{self.name} does not delete {key}: {text}")

    def _objects(self, below: str) -> Iterator[dict[str, Any]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + below)
        with self._errors(below):
            for page in pages:
                yield from page.get("Contents", ())

    def _run_of(self, entry: dict[str, Any]) -> str:
        return str(entry["Key"]).removeprefix(self._prefix).partition("/")[0]

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._explained(error.response.get("Error", {}), path) from None
        except (Boto3Error, BotoCoreError, OSError) as error:
            raise ArtifactStoreError(f"{self.name} cannot be used for {path}: {error}.") from None

    def _explained(self, error: dict[str, Any], path: str) -> Exception:
        code, text = str(error.get("Code", "")), error.get("Message", "")
        if code in _ABSENT:
            return NotFoundError(f"{self.name} has no file {path}.")
        if code in {"EntityTooLarge", "KeyTooLongError"}:
            return ArtifactRefusedError(f"{self.name} refuses {path}: {text}")
        return ArtifactStoreError(f"{self.name} answers {code} for {path}: {text}")


def _total(run_id: str, objects: Iterable[dict[str, Any]]) -> RunFiles:
    return RunFiles.total(run_id, ((entry["Size"], entry["LastModified"]) for entry in objects))
