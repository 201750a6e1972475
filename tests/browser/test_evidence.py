"""What a run leaves behind: pictures, traces, the console; and what it never leaves: secrets."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import logging
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import playwright
import pytest

from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionOptions
from qa_queue.models import ArtifactKind, ErrorKind, EvidenceMode, RunStatus, TestJobResult
from qa_queue.store.records import ArtifactRecord
from tests.browser.conftest import Opener
from tests.support.leaks import codings, everything
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, expect, goto, on, step

PNG = b"\x89PNG"
FAST = {"timeout_ms": 300}
VIEWER = Path(playwright.__file__).parent / "driver/package/lib/vite/traceViewer"


def content(harness: ExecutionHarness, artifact: ArtifactRecord) -> bytes:
    """The bytes of an artifact, which are as its row says."""
    data = (harness.artifacts_dir / artifact.path).read_bytes()
    assert (artifact.size_bytes, artifact.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    return data


def names(harness: ExecutionHarness, result: TestJobResult) -> list[str]:
    return [artifact.name for artifact in harness.artifacts(result.test_run_id)]


async def test_a_failure_leaves_a_picture_and_a_trace(harness: ExecutionHarness, site: Site) -> None:
    """By default a run that fails has both, a good run none; the files lie where the rows say."""
    path = site.page("/evidence", "<h1 id=x>a</h1>")
    good = await harness.test(case(goto(path), base_url=site.url))
    bad = await harness.test(case(goto(path), expect("#x", text="b").model_copy(update=FAST), base_url=site.url))
    assert names(harness, good) == []
    assert names(harness, bad) == ["console.jsonl", "step-002-failed.png", "trace.zip"]
    console, picture, trace = harness.artifacts(bad.test_run_id)
    (entry,) = map(json.loads, content(harness, console).splitlines())
    assert (entry["type"], entry["step"], entry["text"]) == ("snapshot", "2", '- heading "a" [level=1]')
    assert (picture.kind, picture.step_number) == (ArtifactKind.SCREENSHOT, 2)
    assert picture.path == f"{bad.test_run_id}/1/step-002-failed.png"
    assert content(harness, picture).startswith(PNG)
    assert {"trace.trace", "trace.network"} <= set(zipfile.ZipFile(io.BytesIO(content(harness, trace))).namelist())


async def test_pictures_where_asked(harness: ExecutionHarness, site: Site) -> None:
    """A step's own picture, the screenshot action with its name, and one after every step."""
    path = site.page("/asked", "<h1>a</h1>")
    steps = (
        goto(path).model_copy(update={"screenshot": True}),
        step("screenshot", args={"name": "The Cart: ${env.X}"}),
    )
    asked = await harness.test(case(*steps, base_url=site.url), env={"X": "1"}, screenshots="off")
    every = await harness.test(case(*steps, base_url=site.url), env={"X": "1"}, screenshots="every-step")
    assert names(harness, asked) == ["step-001-after.png", "step-002-the-cart-env-x.png"]
    assert names(harness, every) == ["step-001-after.png", "step-002-after.png", "step-002-the-cart-env-x.png"]


async def test_no_picture_when_off(harness: ExecutionHarness, site: Site) -> None:
    """Screenshots and trace can be turned off."""
    steps = (goto(site.page("/plain", "<p>")), on("click", "#gone").model_copy(update=FAST))
    result = await harness.test(case(*steps, base_url=site.url), screenshots="off", trace="off")
    assert names(harness, result) == []


@pytest.mark.parametrize(
    ("mode", "good", "bad"),
    [
        (EvidenceMode.OFF, [], []),
        (EvidenceMode.ON, [1], [1, 2, 3]),
        (EvidenceMode.ON_FAILURE, [], [1, 2, 3]),
        (EvidenceMode.ON_FIRST_RETRY, [], [2]),
        (EvidenceMode.ON_FAILURE_AND_RETRIES, [], [1, 2, 3]),
    ],
)
async def test_traces_by_mode(
    harness: ExecutionHarness, site: Site, mode: EvidenceMode, good: list[int], bad: list[int]
) -> None:
    """Which tries of a good and of a failing test leave a trace."""
    path = site.page("/traced", "<p id=x>a</p>")
    wrong = expect("#x", text="b").model_copy(update=FAST)
    passed = await harness.test(case(goto(path), base_url=site.url, retries=2), trace=mode)
    failed = await harness.test(case(goto(path), wrong, base_url=site.url, retries=2), trace=mode)
    for result, attempts in ((passed, good), (failed, bad)):
        traces = harness.artifacts(result.test_run_id, ArtifactKind.TRACE)
        assert [trace.attempt for trace in traces] == attempts


async def test_a_passed_try_is_kept_with_the_failed_one_before_it(harness: ExecutionHarness, site: Site) -> None:
    """The traffic and the pictures of both: of the failed step, and of the end of the good try."""
    visits = itertools.count(1)
    path = site.page("/second", lambda _: f"<p id=x>{next(visits)}</p>")
    second = expect("#x", text="2").model_copy(update=FAST)
    modes = dict.fromkeys(("trace", "har", "screenshots"), "on-failure-and-retries")
    result = await harness.test(case(goto(path), second, base_url=site.url, retries=1, **modes))
    assert result.flaky
    kept = [(one.attempt, one.name) for one in harness.artifacts(result.test_run_id)]
    recorded = ("network.har", "trace.zip")
    assert kept == [
        (1, "console.jsonl"),
        (1, "network.har"),
        (1, "step-002-failed.png"),
        (1, "trace.zip"),
        (2, "end.png"),
        *((2, name) for name in recorded),
    ]
    har = json.loads(content(harness, harness.artifacts(result.test_run_id, ArtifactKind.HAR)[0]))
    assert [entry["request"]["url"] for entry in har["log"]["entries"]] == [f"{site.url}{path}"]


async def test_a_video_is_kept_or_the_missing_program_is_named(harness: ExecutionHarness, site: Site) -> None:
    """Playwright records videos with an ffmpeg of its own, which not every machine has."""
    result = await harness.test(case(goto(site.page("/filmed", "<p>a")), base_url=site.url), video="on")
    if result.error is None:
        assert names(harness, result) == ["page-1.webm"]
    else:
        assert (result.error_kind, "`playwright install ffmpeg`" in result.error) == (ErrorKind.INPUT, True)


async def test_a_file_that_is_too_large_is_not_kept(harness: ExecutionHarness, site: Site) -> None:
    """The run ends as it would have, and says what is missing and which setting allows more."""
    site.page("/large.js", lambda _: "/*" + "x" * (2 << 20) + "*/")
    path = site.page("/large", "<script src=/large.js></script><p id=x>a")
    harness.evidence_max_mb = 1
    result = await harness.test(case(goto(path), base_url=site.url, har="on"))
    assert names(harness, result) == ["console.jsonl"]
    assert (result.status, "network.har was not stored: it is larger than 1 MiB" in (result.error or "")) == (
        "completed",
        True,
    )


async def test_the_console_is_kept_as_lines_of_json(harness: ExecutionHarness, site: Site) -> None:
    """Messages, page errors and dialogs; a silent page leaves no file."""
    path = site.page("/talks", "<script>console.log('hello'); alert('boo')</script><p id=x>")
    result = await harness.test(case(goto(path), base_url=site.url))
    (console,) = harness.artifacts(result.test_run_id)
    entries = [json.loads(line) for line in content(harness, console).splitlines()]
    assert [(entry["type"], entry["text"]) for entry in entries] == [
        ("console", "hello"),
        ("dialog", "alert dismissed: boo"),
    ]


async def test_evidence_that_cannot_be_kept_changes_nothing_else(
    harness: ExecutionHarness, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """With a file where the artifacts folder should be, verdicts stand and the run says what is missing."""
    harness.artifacts_dir.write_text("in the way")
    path = site.page("/unkept", "<p id=x>a</p>")
    good = await harness.test(case(goto(path).model_copy(update={"screenshot": True}), base_url=site.url))
    bad = await harness.test(case(goto(path), expect("#x", text="b").model_copy(update=FAST), base_url=site.url))
    assert (good.status, good.error_kind, harness.row(good.test_run_id).status) == (
        "completed",
        None,
        RunStatus.COMPLETED,
    )
    assert "step-001-after.png was not stored" in (harness.row(good.test_run_id).error or "")
    assert (bad.error or "").startswith("step 2: expected text 'b', found 'a'")
    assert "trace.zip was not stored" in (bad.error or "")
    assert "was not stored" in caplog.text


async def test_a_picture_does_not_show_a_secret(visit: Opener) -> None:
    """Two pages that differ in the secret alone look the same: in text, in a frame, and in a field."""
    pictures = []
    for secret in ("hunter22", "opensesa"):
        text = f"<p style='font: 20px monospace'>token {secret} end"
        page = await visit(f'{text}<iframe srcdoc="{text}"></iframe><input id=x>', secrets=(secret,))
        await page.passes(on("fill", "#x", value=secret), on("hover", "p"))
        pictures.append(await page.session.screenshot())
    assert pictures[0] == pictures[1]


SECRET = 'p&ss "wörd"/+<42>'
FORM = """<form method=post action=/signed enctype=%s>
<input name=user id=u><input type=password name=password id=p><input name=note id=n>
<button>Go</button></form>"""
SIGNED = """<h1>Hello</h1><script>
const value = %s;
console.log('got ' + value);
document.title = value;
fetch('/api?token=' + encodeURIComponent(value), {
  method: 'POST',
  body: JSON.stringify({token: value, in: JSON.stringify({value})}),
  headers: {Authorization: 'Basic ' + btoa(unescape(encodeURIComponent('me:' + value)))},
});
fetch('/bytes');
fetch('http://169.254.169.254/' + encodeURIComponent(value)).catch(() => 0);
new Image().src = 'file:///' + encodeURIComponent(value);
console.log('x'.repeat(1986) + value);
setTimeout(() => { throw Error('bad ' + value) });
</script><p id=echo></p><script>echo.textContent = value; echo.dataset.x = value</script>"""


async def test_secrets_are_nowhere(
    harness: ExecutionHarness, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret in a password field, a text field, typed key by key, echoed by the site, in messages, headers, data
    and refused requests is found in no file, row, report, result or log line, in no coding."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("QA_SECRET_KEY", SECRET)
    monkeypatch.setenv("QA_SECRET_KEY_HOSTS", "127.0.0.1")
    site.page("/form", FORM % "application/x-www-form-urlencoded")
    site.page("/signed", lambda _: SIGNED % json.dumps(SECRET).replace("<", "\\u003c"))
    site.page("/api", lambda form: json.dumps({"echo": SECRET}))
    site.page("/bytes", b"\x00\xff" + SECRET.encode() + b"\xfe")
    site.headers["/bytes"] = {"Content-Type": "application/octet-stream"}
    steps = (
        goto("/form"),
        on("fill", "#u", value="${secret.KEY}"),
        on("fill", "#p", value="${secret.KEY}"),
        on("type", "#n", value="${secret.KEY}"),
        on("click", {"role": "button", "name": "Go"}),
        expect("#echo", contains_text="${secret.KEY}"),
        expect("h1", text="${secret.KEY}"),
    )
    shown = [one.model_copy(update={"screenshot": True}) for one in steps[:-1]]
    last = steps[-1].model_copy(update={"name": "greets ${secret.KEY}", "timeout_ms": 500})
    result = await harness.test(case(*shown, last, base_url=site.url), trace="on", har="on", video="on")
    assert result.status == "failed"
    assert "expected text '***', found 'Hello'" in (result.error or "")
    left = [*everything(harness, result), ("log", caplog.text.encode())]
    assert "169.254.169.254" in caplog.text
    assert {"trace.zip!trace.trace", "console.jsonl", "network.har", "rows"} <= {name for name, _ in left}
    assert not [name for name, _ in left if name.endswith(".webm")]
    for form in codings(SECRET):
        assert [name for name, data in left if form in data] == [], form


@pytest.fixture
def viewer(harness: ExecutionHarness) -> Iterator[str]:
    """Playwright's own trace viewer, served beside the harness's artifacts."""

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            root = harness.artifacts_dir if path.startswith("/artifacts/") else VIEWER
            return str(root / path.partition("?")[0].removeprefix("/artifacts").lstrip("/"))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_redacted_trace_opens_in_the_trace_viewer(
    harness: ExecutionHarness, site: Site, viewer: str, pool: WarmBrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Playwright's viewer lists the actions of a trace that went through redaction."""
    monkeypatch.setenv("QA_SECRET_KEY", "1234567")  # digits, as stand in times and sizes too
    monkeypatch.setenv("QA_SECRET_KEY_HOSTS", "127.0.0.1")
    path = site.page("/viewed", "<label>Code <input></label>")
    steps = (goto(path), on("fill", {"label": "Code"}, value="${secret.KEY}"))
    result = await harness.test(case(*steps, base_url=site.url), trace="on")
    (trace,) = harness.artifacts(result.test_run_id, ArtifactKind.TRACE)
    async with pool.session(SessionOptions()) as session:
        await session.page.goto(f"{viewer}/index.html?trace={viewer}/artifacts/{trace.path}")
        fill = session.page.get_by_role("treeitem").filter(has_text="Fill")
        await fill.wait_for(timeout=20_000)
        assert "***" in await fill.inner_text()


async def test_a_case_may_keep_no_pictures(harness: ExecutionHarness, site: Site) -> None:
    """Neither screenshots nor a trace, whatever the run asks for; the log of the console is kept."""
    site.page("/secret", "<p>a</p><script>console.log('b')</script>")
    steps = (goto("/secret"), on("click", "#gone").model_copy(update={"timeout_ms": 300}))
    written = case(*steps, base_url=site.url, trace="on", secrets="no-pictures")
    result = await harness.test(written, screenshots="every-step", trace=EvidenceMode.ON)
    assert result.status == "failed"
    assert {one.kind for one in harness.artifacts(result.test_run_id)} == {ArtifactKind.CONSOLE}
