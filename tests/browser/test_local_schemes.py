"""Attacks on the files of a worker and on pages of the browser itself, by a case and by the tested site."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Error

from processors.browser.egress.schemes import denied_addresses
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionOptions
from qa_queue.cases.model import Step
from qa_queue.models import ArtifactKind, ErrorKind
from tests.browser.conftest import Opener
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness
from tests.support.site import Site, serve_site
from tests.support.steps import case, goto, on

MARKER = "the-password-of-redis"
SPELLINGS = [
    "file://{path}",
    "FILE://{path}",
    "file:{path}",
    "  file://{path}",
    "fi\nle://{path}",
    "\x01file://{path}",
    "view-source:file://{path}",
    "view-source:http://127.0.0.1/",
    "filesystem:file://{path}",
    "chrome://version",
    "devtools://devtools/bundled/inspector.html",
    "data:text/html,<iframe src='file://{path}'></iframe>",
    "blob:null/1",
    "javascript:location='file://{path}'",
    "about:version",
    "ftp://127.0.0.1/",
]
FORM = '<form action="{url}" method=%s target=there><button id=go>go</button></form><iframe name=there></iframe>'
SCRIPTS = {
    "location": "location = `{url}`",
    "window": "window.open(`{url}`)",
    "view of the source": "window.open(`view-source:{url}`)",
    "frame": "document.body.innerHTML = `<iframe src={url}>`",
    "object": "document.body.innerHTML = `<object data={url}>`",
    "embed": "document.body.innerHTML = `<embed src={url}>`",
    "image": "document.body.innerHTML = `<img src={url}>`",
    "refresh": "document.head.innerHTML += `<meta http-equiv=refresh content=0;url={url}>`",
    "fetch": "fetch(`{url}`).then(answer => answer.text()).then(text => document.body.append(text))",
    "worker": "new Worker(`{url}`)",
    "shared worker": "new SharedWorker(`{url}`)",
    "service worker": "navigator.serviceWorker.register(`{url}`)",
    "module": "import(`{url}`)",
    "frame in a blob": "const inner = new Blob([`<iframe src={url}></iframe>`], {{type: `text/html`}}); "
    "document.body.innerHTML = `<iframe src=${{window.URL.createObjectURL(inner)}}></iframe>`",
    "frame in a data URL": "const frame = document.createElement(`iframe`); "
    "frame.src = `data:text/html,<iframe src={url}>`; document.body.append(frame)",
}
WAYS = {
    "link": '<a id=go href="{url}">go</a>',
    "link to a new tab": '<a id=go href="{url}" target=_blank>go</a>',
    "download": '<a id=go href="{url}" download>go</a>',
    "form": FORM % "get",
    "form by POST": FORM % "post",
    **{name: f'<button id=go onclick="{script}">go</button>' for name, script in SCRIPTS.items()},
}

OTHERS = (
    "view-source:{site}/answers",
    "view-source:file://{path}",
    "filesystem:file://{path}",
    "chrome://version",
    "devtools://devtools/bundled/inspector.html",
)
EVERY_WAY = """url => {
  const make = (tag, fields) => document.body.appendChild(Object.assign(document.createElement(tag), fields));
  const inner = `<meta http-equiv=refresh content="0;url=${url}">`, to = `/redirect?to=${encodeURIComponent(url)}`;
  const show = answer => answer.text().then(text => document.body.append(text));
  const ways = [
    () => make("a", {href: url, target: "_blank"}).click(), () => make("a", {href: url, download: "x"}).click(),
    () => window.open(url), () => window.open(url, "_blank", "noopener"), () => window.open(to),
    () => { window.open("about:blank").location = url },
    () => window.open("about:blank").document.write(inner),
    () => make("form", {action: url, target: "_blank"}).submit(),
    () => make("form", {action: url, target: "_blank", method: "post"}).submit(),
    () => make("iframe", {src: url}), () => make("iframe", {src: to}), () => make("iframe", {srcdoc: inner}),
    () => { make("iframe", {}).contentWindow.location = url },
    () => make("iframe", {src: URL.createObjectURL(new Blob([inner], {type: "text/html"}))}),
    () => make("object", {data: url}), () => make("embed", {src: url}), () => make("script", {src: url}),
    () => make("link", {rel: "prerender", href: url}), () => new Worker(url), () => history.pushState(0, "", url),
    () => navigator.serviceWorker.register(url).catch(() => 0),
    () => fetch(url).then(show).catch(() => 0), () => fetch(to).then(show).catch(() => 0),
  ];
  for (const way of ways) try { way() } catch { }
}"""


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """A file of the worker, as `stack.env` is one."""
    file = tmp_path / "stack.env"
    file.write_text(f"REDIS_PASSWORD={MARKER}", encoding="utf-8")
    return file


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_step_cannot_open_a_local_scheme(visit: Opener, secret_file: Path, spelling: str) -> None:
    """However it is spelled, and whether or not there is a base URL: the step fails and says why."""
    url = spelling.format(path=secret_file)
    for base_url in (None, "http://127.0.0.1:1/x"):
        page = await visit(None, base_url=base_url)
        outcome = await page.do(goto_unchecked(url))
        assert outcome.kind is ErrorKind.INPUT
        assert "which a case may not open" in (outcome.error or "")
        assert page.page.url == "about:blank"


async def test_a_value_or_base_url_cannot_lead_to_a_file(harness: ExecutionHarness, secret_file: Path) -> None:
    """Values are judged when they are filled in; report and trace hold nothing of the file."""
    env = {"X": f"file://{secret_file}"}
    by_value = await harness.test(case(goto("${env.X}"), trace="on"), env=env)
    by_base = await harness.test(case(goto("stack.env"), base_url="${env.X}", trace="on"), env=env)
    data = harness.submit(case(goto("stack.env"), trace="on"), base_url=env["X"])
    by_payload = await harness.run(data)
    for result in (by_value, by_base, by_payload):
        assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)
        assert "'file:', which a case may not open" in (result.error or "")
        assert MARKER not in evidence_of(harness, result.test_run_id)


@pytest.mark.parametrize("way", WAYS)
async def test_a_page_cannot_lead_to_a_file(visit: Opener, site: Site, secret_file: Path, way: str) -> None:
    """Neither a link, a script, a frame, a form nor a worker: no frame of any tab ever shows the file."""
    site.page("/answers", "ok")
    page = await visit(WAYS[way].format(url=f"file://{secret_file}"))
    await page.passes(on("click", "#go"))
    assert await page.js("fetch('/answers').then(answer => answer.status)") == 200  # after what the click began
    loaded = [frame for tab in page.page.context.pages for frame in tab.frames if frame.url]
    assert page.page.url in [frame.url for frame in loaded]
    assert not [frame.url for frame in loaded if frame.url.startswith("file:")]
    assert not [frame.url for frame in loaded if MARKER in await frame.content()]


@pytest.mark.parametrize("address", OTHERS)
async def test_a_page_cannot_lead_to_another_local_address(
    visit: Opener, site: Site, secret_file: Path, address: str
) -> None:
    """In any of these ways at once, as a script of the page or of a step does it."""
    site.page("/answers", "ok")
    page = await visit("<p>a</p>")
    await page.page.evaluate(EVERY_WAY, address.format(path=secret_file, site=site.url))
    assert await page.js("fetch('/answers').then(answer => answer.status)") == 200  # after what was begun
    schemes = {frame.url.partition(":")[0] for tab in page.page.context.pages for frame in tab.frames}
    assert schemes <= {"", "http", "about", "blob", "chrome-error"}
    assert MARKER not in await page.js("document.body.textContent")


async def test_a_redirect_to_a_file_fails_its_step(visit: Opener, site: Site, secret_file: Path) -> None:
    """And says that the site led there."""
    site.redirects["/to-a-file"] = f"file://{secret_file}"
    page = await visit(None)
    outcome = await page.do(goto("/to-a-file"))
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "redirects to an address that is not a page of the web" in (outcome.error or "")


@pytest.mark.parametrize("scheme", ["file://{path}", "view-source:file://{path}"])
async def test_the_browser_itself_refuses_files(visit: Opener, secret_file: Path, scheme: str) -> None:
    """Even where nothing before it has: the navigation fails, and the run's log says what was refused."""
    page = await visit(None)
    url = scheme.format(path=secret_file)
    with pytest.raises(Error, match="ERR_BLOCKED_BY_CLIENT"):
        await page.page.goto(url)
    await async_wait_until(lambda: page.page.url.startswith("chrome-error:"), what="the browser's error page")
    assert MARKER not in await page.page.content()
    entries = [entry for entry in page.session.events if entry["type"] == "refused"]
    assert [entry["text"] for entry in entries] == [f"the service refuses file://{secret_file}"]
    outcome = await page.do(on("click", "#go"), timeout_ms=200)
    assert "the service refuses this address" in (outcome.error or "")


@pytest.mark.parametrize("way", ["location = `{url}`", "fetch(`{url}`)", "location = `/redirect`"])
async def test_addresses_of_the_service_are_refused(browser_path: Path, site: Site, way: str) -> None:
    """To a page as to a step; the refusal is in the run's log. Here the denied address is another site's."""
    with serve_site() as own:
        hits: list[str] = []
        own.page("/", lambda _: hits.append("hit") or "own")
        site.redirects["/redirect"] = f"{own.url}/"
        site.page("/way", f"<button id=go onclick='{way.format(url=own.url + '/')}'>go</button>")
        pool = WarmBrowserPool(lambda: browser_path, denied=denied_addresses([own.url]))
        try:
            async with pool.session(SessionOptions(base_url=site.url)) as session:
                assert (await session.perform(goto("/way"), timeout_ms=5_000)).error is None
                await session.perform(on("click", "#go"), timeout_ms=5_000)
                await async_wait_until(
                    lambda: [e for e in session.events if e["type"] == "refused"], what="the log"
                )
                step = await session.perform(goto(f"{own.url}/"), timeout_ms=5_000)
        finally:
            await pool.close()
        assert "the service refuses this address" in (step.error or "")
        assert hits == []


@pytest.mark.parametrize(
    "name",
    ["{outside}", "../outside.txt", "link.txt", "folder/../../outside.txt", ".env", ".qa/stack.env", "no-such.txt"],
)
async def test_an_upload_stays_in_the_folder_of_the_case(visit: Opener, tmp_path: Path, name: str) -> None:
    """No absolute path, no `..`, no symbolic link and no hidden file leads out of it; nothing reaches the site."""
    outside = tmp_path / "outside.txt"
    folder = tmp_path / "case"
    (folder / ".qa").mkdir(parents=True)
    for file in (outside, folder / ".env", folder / ".qa" / "stack.env"):
        file.write_text(MARKER, encoding="utf-8")
    (folder / "link.txt").symlink_to(outside)
    page = await visit("<input id=f type=file>", upload_root=folder)
    outcome = await page.do(on("upload", "#f", files=[name.format(outside=outside)]))
    assert outcome.kind is ErrorKind.INPUT
    assert await page.js("f.files.length") == 0


async def test_a_run_without_a_folder_uploads_nothing(
    harness: ExecutionHarness, site: Site, secret_file: Path
) -> None:
    """A case that came over HTTP has none, so no value can name a file of the worker."""
    site.page("/upload", "<input id=f type=file>")
    steps = (goto("/upload"), on("upload", "#f", files=["${env.X}"]))
    result = await harness.test(case(*steps, base_url=site.url), env={"X": str(secret_file)})
    assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)
    assert "has no folder with files" in (result.error or "")


async def test_a_value_cannot_lead_an_upload_out_of_the_folder(
    harness: ExecutionHarness, site: Site, secret_file: Path
) -> None:
    """The folder is that of the case, whatever a run's values say."""
    site.page("/upload", "<input id=f type=file>")
    steps = (goto("/upload"), on("upload", "#f", files=["${env.X}"]))
    folder = secret_file.parent / "case"
    folder.mkdir()
    data = harness.submit(case(*steps, base_url=site.url), env={"X": "../stack.env"}, case_dir=str(folder))
    result = await harness.run(data)
    assert "only files in the folder of the case" in (result.error or "")


def goto_unchecked(url: str) -> Step:
    """A step as a payload of an older version may hold it, past the check of the case format."""
    step = goto("/")
    return step.model_copy(update={"args": step.args.model_copy(update={"url": url})})


def evidence_of(harness: ExecutionHarness, run_id: str) -> str:
    """Every byte that a run left, archives unpacked."""
    text = ""
    for artifact in harness.artifacts(run_id):
        path = harness.artifacts_dir / artifact.path
        if artifact.kind is ArtifactKind.TRACE:
            with zipfile.ZipFile(path) as archive:
                text += "".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
        else:
            text += path.read_bytes().decode("utf-8", "replace")
    return text
