"""One contract for every place of evidence: a folder, Supabase Storage, S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from qa_queue.errors import NotFoundError
from qa_queue.local.process import free_port
from qa_queue.models import utc_now
from qa_queue.store.artifacts import ArtifactRefusedError, ArtifactStore, ArtifactStoreError, FolderStore
from qa_queue.store.artifacts.s3 import S3Bucket
from qa_queue.store.artifacts.supabase import SupabaseBucket
from tests.support.object_storage import KEY, LARGEST, serve_storage

Make = Callable[[Path, ExitStack], ArtifactStore]


def _folder(tmp: Path, _: ExitStack) -> ArtifactStore:
    (tmp / "share").mkdir()
    return FolderStore(tmp / "share")


def _supabase(tmp: Path, stack: ExitStack) -> ArtifactStore:
    (tmp / "storage").mkdir()
    url = stack.enter_context(serve_storage(tmp / "storage"))
    store = SupabaseBucket(url, KEY, "evidence")
    stack.callback(store.close)
    return store


def _s3(_: Path, stack: ExitStack) -> ArtifactStore:
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "of-a-test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    stack.callback(server.stop)
    endpoint = f"http://127.0.0.1:{port}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="evidence")
    store = S3Bucket("evidence", "qa/runs", endpoint)
    stack.callback(store.close)
    return store


STORES: dict[str, Make] = {"folder": _folder, "supabase": _supabase, "s3": _s3}


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArtifactStore]:
    with ExitStack() as stack:
        yield STORES[request.param](tmp_path_factory.mktemp("store"), stack)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.png"
    path.write_bytes(b"\x89PNG" * 1000)
    return path


def test_a_file_comes_back_as_it_was(store: ArtifactStore, source: Path, tmp_path: Path) -> None:
    path = f"{uuid4()}/1/step 003 50% für+alle.png"
    store.put(path, source, "image/png")
    store.fetch(path, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_a_file_is_replaced(store: ArtifactStore, source: Path, tmp_path: Path) -> None:
    path = f"{uuid4()}/1/console.jsonl"
    store.put(path, source, "application/x-ndjson")
    source.write_bytes(b"newer")
    store.put(path, source, "application/x-ndjson")
    store.fetch(path, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"newer"


def test_a_file_that_does_not_exist_is_named(store: ArtifactStore, tmp_path: Path) -> None:
    path = f"{uuid4()}/1/trace.zip"
    with pytest.raises(NotFoundError, match=rf"{store.name}.*{path}"):
        store.fetch(path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_run_is_measured_and_deleted_and_no_other(store: ArtifactStore, source: Path, tmp_path: Path) -> None:
    """More files than one page of a listing holds, in two attempts."""
    run, other = str(uuid4()), str(uuid4())
    size = source.stat().st_size
    for number in range(103):
        store.put(f"{run}/1/{number:03d}.png", source, "image/png")
    store.put(f"{run}/2/000.png", source, "image/png")
    store.put(f"{other}/1/000.png", source, "image/png")
    found = store.measure(run)
    assert (found.files, found.size) == (104, 104 * size)
    assert abs(found.changed_at - utc_now()) < timedelta(minutes=5)
    assert {run, other} <= {one.run_id for one in store.runs()}
    assert store.delete(run) == found
    assert store.measure(run).files == 0
    assert store.delete(run).files == 0
    assert run not in {one.run_id for one in store.runs()}
    store.fetch(f"{other}/1/000.png", tmp_path / "copy")


def test_one_file_is_deleted_and_no_other(store: ArtifactStore, source: Path, tmp_path: Path) -> None:
    """One that does not exist is not an error."""
    run = str(uuid4())
    for name in ("trace.zip", "trace.zip.png"):
        store.put(f"{run}/1/{name}", source, "image/png")
    for _ in range(2):
        store.delete_file(f"{run}/1/trace.zip")
    with pytest.raises(NotFoundError):
        store.fetch(f"{run}/1/trace.zip", tmp_path / "copy")
    store.fetch(f"{run}/1/trace.zip.png", tmp_path / "copy")


def test_a_store_that_is_unavailable_says_so(source: Path, tmp_path: Path) -> None:
    """Every call, without a trace of half a file."""
    port = free_port()
    stores: list[ArtifactStore] = [
        FolderStore(tmp_path / "unmounted"),
        SupabaseBucket(f"http://127.0.0.1:{port}", KEY, "evidence"),
        S3Bucket("evidence", "", f"http://127.0.0.1:{port}"),
    ]
    for store in stores:
        for call in (
            lambda one=store: one.put("r/1/a.png", source, "image/png"),
            lambda one=store: one.fetch("r/1/a.png", tmp_path / "copy"),
            lambda one=store: one.measure("r"),
            lambda one=store: one.delete("r"),
            lambda one=store: one.delete_file("r/1/a.png"),
            lambda one=store: list(one.runs()),
        ):
            with pytest.raises(ArtifactStoreError):
                call()
        store.close()
    assert not (tmp_path / "unmounted").exists()


def test_a_refused_key_is_an_outage_and_a_file_too_large_a_refusal(tmp_path: Path, source: Path) -> None:
    """An operator can correct the first, and then nothing is lost."""
    (tmp_path / "storage").mkdir()
    with serve_storage(tmp_path / "storage") as url:
        stranger = SupabaseBucket(url, "sb_secret_other", "evidence")
        with pytest.raises(ArtifactStoreError, match="403") as refused:
            stranger.put("r/1/a.png", source, "image/png")
        assert not isinstance(refused.value, ArtifactRefusedError)
        source.write_bytes(b"x" * (LARGEST + 1))
        known = SupabaseBucket(url, KEY, "evidence")
        with pytest.raises(ArtifactRefusedError, match="maximum allowed size"):
            known.put("r/1/a.png", source, "image/png")
        for one in (stranger, known):
            one.close()
