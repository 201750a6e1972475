"""Downloads: awaited by steps or not, beyond the limit, with secrets, and as artifacts."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from processors.browser import downloads
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionLimits
from qa_queue.cases.model import Case
from qa_queue.cases.reader import parse_case
from qa_queue.models import ArtifactKind, TestJobResult
from tests.browser.conftest import Opener
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import goto, on

LIMIT = 1_000_000
DEADLINE_S = 30
REFUSED = "it is larger than 1 MB, the most that is allowed (QA_MAX_DOWNLOAD_MB)"


class Endless(BaseHTTPRequestHandler):
    """Sends a file without end (`/endless`), or says that it will send 50 MB, until the browser hangs up."""

    ended = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Disposition", 'attachment; filename="big.bin"')
        if self.path != "/endless":
            self.send_header("Content-Length", "50000000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(65_536))
        except OSError:
            type(self).ended.set()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def endless() -> Iterator[str]:
    """The URL of a server of large files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def limited(browser_path: Path) -> AsyncIterator[WarmBrowserPool]:
    """A browser whose runs may download little."""
    pool = WarmBrowserPool(lambda: browser_path, max_download_bytes=LIMIT)
    yield pool
    await pool.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads have time to end on a slow machine."""
    monkeypatch.setattr(downloads, "END_S", DEADLINE_S)


def case_of(site: Site, html: str, *steps: Any) -> Case:
    """A case whose steps act on a page with this HTML."""
    site.page("/downloads", html)
    document = {"version": 1, "name": "Downloads", "base_url": site.url, "steps": [{"goto": "/downloads"}, *steps]}
    return parse_case(document, source="the test")


def files(harness: ExecutionHarness, result: TestJobResult) -> list[tuple[str, int | None, bytes]]:
    """Name, step and content of the run's downloads."""
    found = harness.artifacts(result.test_run_id, ArtifactKind.DOWNLOAD)
    return [(one.name, one.step_number, (harness.artifacts_dir / one.path).read_bytes()) for one in found]


@pytest.mark.parametrize("path", ["endless", "large"])
async def test_a_download_beyond_the_limit_is_refused(
    limited: WarmBrowserPool, tmp_path: Path, site: Site, endless: str, path: str
) -> None:
    """The browser hangs up as soon as the size is known or reached; the step fails, and the run goes on."""
    Endless.ended.clear()
    harness = ExecutionHarness(browser=limited, artifacts_dir=tmp_path)
    case = case_of(
        site,
        f"<a href={endless}/{path}>Export</a>",
        {"download": {"steps": [{"click": "text=Export"}]}, "soft": True, "timeout": "20s"},
        {"expect": {"text": "Export", "target": "a"}},
    )
    result = await harness.test(case)
    harness.close()
    assert result.error == f"step 2: the download 'big.bin' failed: {REFUSED}"
    assert (result.completed_steps, result.failed_steps) == (3, 1)
    assert Endless.ended.wait(DEADLINE_S)
    assert files(harness, result) == []


async def test_a_download_that_no_step_awaits_is_saved_and_mentioned(
    harness: ExecutionHarness, limited: WarmBrowserPool, tmp_path: Path, site: Site, endless: str
) -> None:
    """In the run's notes, with the step at which it began and how to check it; a large one fails the run."""
    html = f"<a download='notes 1.txt' href='data:text/plain,hello'>Notes</a><a href={endless}/large>Export</a>"
    result = await harness.test(case_of(site, html, {"click": "text=Notes"}))
    assert files(harness, result) == [("download-01-notes-1.txt", None, b"hello")]
    assert harness.row(result.test_run_id).notes == (
        "the download 'notes 1.txt' (5 bytes), which began at 'click `text=Notes`' and no step awaits, was saved: "
        "put that step inside `download: {steps: [...]}` to check it",
    )
    small = ExecutionHarness(browser=limited, artifacts_dir=tmp_path)
    result = await small.test(case_of(site, html, {"click": "text=Export", "timeout": "30s"}))
    small.close()
    assert small.row(result.test_run_id).notes == ()
    assert (result.status, result.error) == (
        "failed",
        f"the download 'big.bin', which began at 'click `text=Export`', failed: {REFUSED}",
    )


async def test_downloads_that_are_awaited_are_not_mentioned(harness: ExecutionHarness, site: Site) -> None:
    """By a step, by a check, or by a condition; the file belongs to its step."""
    html = "<a download=a.txt href='data:text/plain,a'>A</a><a download=b.txt href='data:text/plain,b'>B</a>"
    result = await harness.test(
        case_of(
            site,
            html,
            {"download": {"steps": [{"click": "text=A"}]}},
            {"click": "text=B"},
            {"expect": {"download": "b.txt"}},
            {"if": {"download": {"name": "b.txt", "content": "b"}}, "then": [{"expect": {"download": "a.txt"}}]},
        )
    )
    assert (result.status, result.completed_steps) == ("completed", 6)
    assert files(harness, result) == [("download-01-a.txt", 3, b"a"), ("download-02-b.txt", None, b"b")]
    assert harness.row(result.test_run_id).notes == ()


async def test_a_failure_inside_ends_the_wait(harness: ExecutionHarness, site: Site) -> None:
    """The download is skipped; nothing is waited for."""
    steps = [{"click": "#nothing", "timeout": "300ms"}]
    result = await harness.test(case_of(site, "<h1>Files</h1>", {"download": {"steps": steps, "name": "a.txt"}}))
    assert (result.error or "").startswith("step 2.1: ")
    assert [(step.place, step.status.value) for step in harness.steps(result.test_run_id)] == [
        ("1", "passed"),
        ("2.1", "failed"),
        ("2", "skipped"),
    ]


async def test_a_run_has_a_number_of_downloads(visit: Opener, site: Site) -> None:
    """More are cancelled and counted, and fail the run."""
    html = """<a id=a href='data:text/plain,a'>A</a><button
    onclick='for (let i = 0; i < 8; i++) { a.download = `n${i}.txt`; a.click() }'>Some</button>"""
    path, page = site.page("/eight-downloads", html), await visit(None)
    for _ in range(3):
        await page.passes(goto(path), on("click", "button"))

    def begun() -> int:
        return sum(event["type"] == "download" for event in page.session.events)

    await async_wait_until(lambda: begun() == 24, what="24 downloads")
    assert len(await page.session.downloads()) == SessionLimits().downloads
    assert len(page.session.unreported) == SessionLimits().downloads
    assert page.session.exceeded == "the pages began 24 downloads: a try may have 20 (QA_RUN_DOWNLOADS)"


@pytest.mark.parametrize(
    ("content", "stored"),
    [("data:text/plain,key=t0p-s3cret%0A", b"key=***\n"), ("data:a/b;base64,/wBrZXk9dDBwLXMzY3JldA==", None)],
    ids=["text", "data"],
)
async def test_a_secret_leaves_no_worker_in_a_download(
    harness: ExecutionHarness, site: Site, monkeypatch: pytest.MonkeyPatch, content: str, stored: bytes | None
) -> None:
    """It is masked in text; other data that contain one are not stored."""
    monkeypatch.setenv("QA_SECRET_KEY", "t0p-s3cret")
    case = case_of(
        site,
        f"<input><a download=key.bin href='{content}'>Key</a>",
        {"fill": {"css": "input", "value": "${secret.KEY}"}},
        {"download": {"content": {"contains": "${secret.KEY}"}, "steps": [{"click": "text=Key"}]}, "soft": True},
    )
    result = await harness.run(harness.submit(case, trusted=True))
    assert files(harness, result) == ([("download-01-key.bin", 4, stored)] if stored else [])
    if not stored:
        assert "expected text, found 16 bytes of other data: check its `size`" in (result.error or "")
