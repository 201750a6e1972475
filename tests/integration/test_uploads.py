"""Evidence on its way to the artifact store: nothing is lost, and every machine sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from qa_queue.local.process import free_port
from qa_queue.store.artifacts import ArtifactFiles, FolderStore
from qa_queue.store.artifacts.supabase import SupabaseBucket
from qa_queue.store.artifacts.uploads import UploadQueue
from tests.conftest import ROOT
from tests.support.object_storage import KEY, LARGEST, serve_storage
from tests.support.poll import wait_until

LIMIT = 1 << 20


class Machine:
    """The folders of one worker, and its queue of uploads."""

    def __init__(self, home: Path, store: FolderStore | SupabaseBucket) -> None:
        self.root, self.pending = home / "artifacts", home / "uploads"
        self.files = ArtifactFiles(self.root, store)
        self.uploads = UploadQueue(self.root, self.pending, store, limit=LIMIT)
        self.pending.mkdir(parents=True)

    def record(self, data: bytes = b"picture", name: str = "a.png") -> str:
        """Write an artifact and note it; return its path."""
        path = f"{uuid4()}/1/{name}"
        (self.root / path).parent.mkdir(parents=True)
        (self.root / path).write_bytes(data)
        self.uploads.add(path, "image/png")
        return path


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


@pytest.fixture
def machine(tmp_path: Path, share: Path) -> Machine:
    return Machine(tmp_path / "home", FolderStore(share))


def test_an_uploaded_file_is_only_in_the_store(machine: Machine, share: Path) -> None:
    path = machine.record()
    assert machine.uploads.depth.files == 1
    assert machine.uploads.drain() is None
    assert (share / path).read_bytes() == b"picture"
    assert list(machine.root.iterdir()) == []
    assert (machine.uploads.depth.files, machine.uploads.depth.size) == (0, 0)
    found = machine.files.find(path)
    assert found is not None
    assert found.read_bytes() == b"picture"
    assert machine.files.place_of(path) == f"{share}/{path}"


def test_nothing_is_lost_while_the_store_is_unavailable(tmp_path: Path) -> None:
    """The server is stopped and comes back on its port; files that were recorded meanwhile arrive by themselves."""
    (tmp_path / "storage").mkdir()
    port = free_port()
    store = SupabaseBucket(f"http://127.0.0.1:{port}", KEY, "evidence")
    machine = Machine(tmp_path / "home", store)
    machine.uploads.start()
    paths = [machine.record(f"picture {number}".encode()) for number in range(20)]
    assert machine.uploads.depth.files == 20
    with serve_storage(tmp_path / "storage", port):
        wait_until(lambda: machine.uploads.depth.files == 0, what="that all are uploaded")
        stored = [(tmp_path / "storage" / "evidence" / path).read_text() for path in paths]
        assert stored == [f"picture {number}" for number in range(20)]
        machine.uploads.close()
    store.close()


def test_another_process_uploads_what_a_killed_one_left(machine: Machine, share: Path, tmp_path: Path) -> None:
    """The first is killed after it has stored the file and before it has removed the note."""
    path = machine.record()
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from qa_queue.store.artifacts import FolderStore\n"
        "from qa_queue.store.artifacts.uploads import UploadQueue\n"
        "class Dying(FolderStore):\n"
        "    def put(self, *given):\n"
        "        super().put(*given)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "home, share = map(Path, sys.argv[1:])\n"
        "UploadQueue(home / 'artifacts', home / 'uploads', Dying(share), limit=1).drain()\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "home", share], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert (machine.root / path).is_file()
    assert machine.uploads.drain() is None
    assert (share / path).read_bytes() == b"picture"
    assert machine.uploads.depth.files == 0


def test_a_file_that_was_written_again_meanwhile_is_uploaded_again(machine: Machine, share: Path) -> None:
    path = machine.record(b"old")

    class Slow(FolderStore):
        def put(self, path: str, source: Path, content_type: str) -> None:
            super().put(path, source, content_type)
            if source.read_bytes() == b"old":
                source.write_bytes(b"new picture")
                machine.uploads.add(path, content_type)

    slow = UploadQueue(machine.root, machine.pending, Slow(share), limit=LIMIT)
    assert slow.drain() is None
    assert (machine.root / path).read_bytes() == b"new picture"
    assert slow.drain() is None
    assert (share / path).read_bytes() == b"new picture"
    assert not (machine.root / path).exists()


def test_a_refused_file_stays_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    with serve_storage(tmp_path / "storage") as url:
        store = SupabaseBucket(url, KEY, "evidence")
        machine = Machine(tmp_path / "home", store)
        large, small = machine.record(b"x" * (LARGEST + 1)), machine.record()
        assert machine.uploads.drain() is None
        assert (tmp_path / "storage" / "evidence" / small).is_file()
        assert (machine.root / large).is_file()
        (line,) = (machine.pending / "refused.jsonl").read_text().splitlines()
        assert json.loads(line)["path"] == large
        assert "maximum allowed size" in json.loads(line)["error"]
        assert machine.uploads.depth.files == 0
        store.close()


def test_a_full_queue_is_a_reason_to_take_no_job(machine: Machine, share: Path) -> None:
    """Until the store is back."""
    share.rename(share.with_name("away"))
    machine.record(b"x" * (LIMIT + 1))
    machine.uploads.start()
    wait_until(lambda: machine.uploads.obstacle, what="the obstacle")
    assert "QA_UPLOADS_MB" in (machine.uploads.obstacle or "")
    share.with_name("away").rename(share)
    wait_until(lambda: machine.uploads.obstacle is None, what="that the queue is empty")
    machine.uploads.close()


def test_the_cache_keeps_the_files_used_last(machine: Machine, share: Path, tmp_path: Path) -> None:
    paths = [machine.record(b"x" * 1000) for _ in range(5)]
    assert machine.uploads.drain() is None
    files = ArtifactFiles(machine.root, FolderStore(share), cache=tmp_path / "cache", limit=2500)
    for path in paths:
        assert files.find(path) is not None
    kept = [path for path in paths if (tmp_path / "cache" / path).exists()]
    assert len(kept) == 2
    assert paths[-1] in kept


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_path_never_leads_out_of_the_folders(machine: Machine, tmp_path: Path, path: str) -> None:
    (tmp_path / "home" / "secret").write_text("secret")
    (tmp_path / "secret").write_text("secret")
    assert machine.files.find(path) is None
