"""Attacks by pages and steps on the network of a worker: a listener on loopback that must receive nothing."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ipaddress
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from processors.browser.egress.cache import HttpCache
from processors.browser.egress.policy import EgressPolicy, Layer, endpoints
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import NetworkUse, SessionLimits, SessionOptions
from processors.browser.session import Session
from qa_queue.cases.environment import Use
from qa_queue.cases.hosts import Address, HostList
from qa_queue.models import ErrorKind
from tests.browser.conftest import closed_port
from tests.support.listeners import Listener, listen
from tests.support.poll import async_wait_until
from tests.support.site import Site
from tests.support.steps import goto, on, step

TIMEOUT_MS = 30_000  # steps that succeed or are refused at once, on a slow machine
HOSTS = (
    "127.0.0.1", "localhost", "x.localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.9.9.9", "0.0.0.0",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "user:pass@127.0.0.1", "site.test@127.0.0.1", "rebind.test",
    "127.0.0.1.", "localhost.", "0x7f000001", "017700000001", "127.0.1", "①②⑦.0.0.1", "127。0。0。1", "LOCALHOST",
    "xn--bcher-kva.test", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
)  # fmt: skip
IN_WORKER = "(URL.createObjectURL(new Blob([`{script}`])))"
FETCH = "fetch('http://{to}/', {{mode: 'no-cors'}}).catch(() => 0)"
FORM = "<form action=http://{to}/ method=post><input name=a></form>"
PAGES = {
    "fetch": FETCH,
    "post": "fetch('http://{to}/', {{method: 'POST', body: 'FLUSHALL', mode: 'no-cors'}}).catch(() => 0)",
    "beacon": "navigator.sendBeacon('http://{to}/', 'FLUSHALL')",
    "tls": "fetch('https://{to}/', {{mode: 'no-cors'}}).catch(() => 0)",
    "image": "new Image().src = 'http://{to}/x.png'",
    "frame": "document.body.innerHTML = '<iframe src=http://{to}/></iframe>'",
    "object": "document.body.innerHTML = '<object data=http://{to}/></object>'",
    "stylesheet": "document.head.innerHTML += '<link rel=stylesheet href=http://{to}/x.css>'",
    "preconnect": "document.head.innerHTML += '<link rel=preconnect href=http://{to}/>'; " + FETCH,
    "form": f"document.body.innerHTML = '{FORM}'; document.forms[0].submit()",
    "location": "location = 'http://{to}/'",
    "window": "window.open('http://{to}/')",
    "redirect": "fetch('/redirect?to=http://{to}/', {{mode: 'no-cors'}}).catch(() => 0)",
    "redirected page": "location = '/redirect?to=http://{to}/'",
    "frame that redirects": "document.body.innerHTML = '<iframe src=/redirect?to=http://{to}/></iframe>'",
    "event source": "new EventSource('http://{to}/')",
    "web socket": "new WebSocket('ws://{to}/')",
    "web socket with TLS": "new WebSocket('wss://{to}/')",
    "worker": "new Worker" + IN_WORKER.format(script=FETCH),
    "web socket of a worker": "new Worker" + IN_WORKER.format(script="new WebSocket('ws://{to}/')"),
    "shared worker": "new SharedWorker" + IN_WORKER.format(script=FETCH),
    "service worker": "navigator.serviceWorker.register('/worker.js?to=http://{to}/')",
    "ping": "document.body.innerHTML = '<a id=p ping=http://{to}/ href=#x>a</a>'; p.click()",
    "prefetch": "document.head.innerHTML += '<link rel=prefetch href=http://{to}/x>'",
    "preload": "document.head.innerHTML += '<link rel=preload as=image href=http://{to}/x>'",
    "module": "import('http://{to}/x.js').catch(() => 0)",
    "imported style": "document.head.innerHTML += '<style>@import url(http://{to}/x.css)</style>'",
    "font": "new FontFace('x', 'url(http://{to}/x.woff2)').load().catch(() => 0)",
    "video": "document.body.innerHTML = '<video src=http://{to}/x.mp4 preload=auto></video>'",
    "frame of a blob": "document.body.append(Object.assign(document.createElement('iframe'), "
    "{{src: URL.createObjectURL(new Blob(['<img src=http://{to}/>'], {{type: 'text/html'}}))}}))",
    "frame of data": "document.body.innerHTML = '<iframe src=\\'data:text/html,<img src=http://{to}/>\\'></iframe>'",
    "frame with its own source": "document.body.innerHTML = '<iframe srcdoc=\\'<img src=http://{to}/>\\'></iframe>'",
    "report of its policy": "location = '/reports'",
    "download": "document.body.innerHTML = '<a id=d download href=http://{to}/f>f</a>'; d.click()",
}
INTERFACES = [name for name, state in psutil.net_if_stats().items() if state.isup and not name.startswith("lo")]
WEBRTC = """async ([port, waits]) => {
  const turn = `turn:127.0.0.1:${port}?transport=`;
  const servers = [`stun:127.0.0.1:${port}`, `stun:localhost:${port}`, `${turn}udp`, `${turn}tcp`];
  const peer = new RTCPeerConnection({iceServers: [{urls: servers, username: 'a', credential: 'b'}]});
  const gathered = new Promise(done => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && done(true);
  });
  peer.createDataChannel('x');
  await peer.setLocalDescription(await peer.createOffer());
  return waits && gathered;
}"""
WEBTRANSPORT = """async ([port]) => {
  const opened = new WebTransport(`https://127.0.0.1:${port}/`);
  return opened.ready.then(() => true, () => false);
}"""
SCAN = """async ([first, last]) => {
  const open = [];
  for (let port = first; port <= last; port++)
    await fetch(`http://127.0.0.1:${port}/`, {mode: 'no-cors'}).then(() => open.push(port), () => 0);
  return open;
}"""
WORKER = """self.addEventListener('install', event => event.waitUntil(
  fetch(new URL(location).searchParams.get('to'), {mode: 'no-cors'}).catch(() => 0)))"""


@pytest.fixture
def own() -> Iterator[Listener]:
    """A part of the service, to which nothing may be sent."""
    with listen() as listener:
        yield listener


async def names(host: str) -> tuple[Address, ...]:
    """The look-up of names: every name is this machine."""
    return (ipaddress.ip_address("127.0.0.1"),)


@asynccontextmanager
async def session_of(
    pool: WarmBrowserPool, site: Site, own: Listener, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Session]:
    """A session for which the listener belongs to the service."""
    policy = EgressPolicy(own=endpoints([f"http://127.0.0.1:{own.port}"]))
    monkeypatch.setattr(pool, "_egress", policy)
    monkeypatch.setattr(pool, "_resolve", names)
    async with pool.session(SessionOptions(base_url=site.url)) as session:
        yield session


def refused(session: Session) -> int:
    """The number of connections that were refused."""
    assert session._egress is not None
    return session._egress.refused["own"]


@pytest.mark.parametrize("way", PAGES)
async def test_no_page_reaches_the_service(
    pool: WarmBrowserPool, site: Site, own: Listener, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Neither its scripts, frames, workers and sockets nor its redirects and downloads; the report says so."""
    site.page("/worker.js", WORKER)
    async with session_of(pool, site, own, monkeypatch) as session:
        script = PAGES[way].format(to=f"127.0.0.1:{own.port}")
        path = site.page("/attack", f"<button id=go>go</button><script>go.onclick = () => {{ {script} }}</script>")
        site.page("/reports", "<script>eval('1')</script>")
        site.headers["/reports"] = {
            "Content-Security-Policy": f"script-src 'self'; report-uri http://127.0.0.1:{own.port}/"
        }
        assert (await session.perform(goto(path), timeout_ms=TIMEOUT_MS)).error is None
        await session.perform(on("click", "#go"), timeout_ms=TIMEOUT_MS)
        await async_wait_until(lambda: refused(session), what="the refusal")
        assert f"127.0.0.1:{own.port}, which is an address of the service itself" in "; ".join(session.unreported)
    assert own.silent


@pytest.mark.parametrize("host", HOSTS)
async def test_no_step_reaches_the_service(
    pool: WarmBrowserPool, site: Site, own: Listener, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """By no form of its address: neither a page nor a request; their errors name destination and reason."""
    async with session_of(pool, site, own, monkeypatch) as session:
        url = f"http://{host}:{own.port}/"
        site.redirects["/away"] = quote(url, safe=":/@[]")
        for attack in (
            goto(url),
            goto("/away"),
            step("request", args={"get": url}),
            step("request", args={"get": "/away"}),
        ):
            outcome = await session.perform(attack, timeout_ms=TIMEOUT_MS)
            assert outcome.kind is ErrorKind.NAVIGATION
            assert "the service refuses this address: " in str(outcome.error)
            assert f":{own.port} is an address of the service itself" in str(outcome.error)
        secure = step("request", args={"get": url.replace("http:", "https:")})
        outcome = await session.perform(secure, timeout_ms=TIMEOUT_MS)
        assert "the service refuses this address: " in str(outcome.error)
    assert own.silent


async def test_a_scan_of_ports_finds_nothing_of_the_service(
    pool: WarmBrowserPool, site: Site, own: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its port looks like one on which nothing listens; the run's report has the refusal."""
    async with session_of(pool, site, own, monkeypatch) as session:
        path = site.page("/scan", "<p>")
        assert (await session.perform(goto(path), timeout_ms=TIMEOUT_MS)).error is None
        assert session._egress is not None
        for port in (own.port, session._egress.port):
            assert await session.page.evaluate(SCAN, [port, port]) == []
        assert await session.page.evaluate(SCAN, [int(site.url.rpartition(":")[2])] * 2) != []
    assert own.silent


@pytest.mark.parametrize("script", [WEBRTC, WEBTRANSPORT])
async def test_no_datagram_leaves_the_browser(
    pool: WarmBrowserPool, site: Site, own: Listener, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """WebRTC and WebTransport are confined to the proxy, which carries no UDP."""
    path = site.page("/rtc", "<p>")
    async with session_of(pool, site, own, monkeypatch) as session:
        assert (await session.perform(goto(path), timeout_ms=TIMEOUT_MS)).error is None
        await session.page.evaluate(script, [own.port, True])
    assert own.silent


@pytest.mark.skipif(not INTERFACES, reason="WebRTC needs a network interface other than loopback")
async def test_without_the_proxy_datagrams_do_leave(browser_path: Path, site: Site, own: Listener) -> None:
    """So the test above can fail."""
    pool = WarmBrowserPool(lambda: browser_path)
    path = site.page("/rtc", "<p>")
    try:
        async with pool.session(SessionOptions(base_url=site.url)) as session:
            await session.perform(goto(path), timeout_ms=TIMEOUT_MS)
            await session.page.evaluate(WEBRTC, [own.port, False])
            await async_wait_until(lambda: own.datagrams, what="a datagram")
    finally:
        await pool.close()


async def test_an_answer_of_dns_that_changes_reaches_nothing(
    pool: WarmBrowserPool, site: Site, own: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the address that was judged stays that of the name, for pages, sockets and requests of the run."""
    answers = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("169.254.169.254")]
    asked: list[str] = []

    async def rebinding(host: str) -> tuple[Address, ...]:
        asked.append(host)
        return (answers[min(len(asked), len(answers)) - 1],)

    port = site.url.rpartition(":")[2]
    path = site.page("/rebound", "<p id=x>a</p>")
    async with session_of(pool, site, own, monkeypatch) as session:
        monkeypatch.setattr(session._egress, "_resolve", rebinding)
        for attack in (
            goto(f"http://rebind.test:{port}{path}"),
            step("request", args={"get": f"http://rebind.test:{port}{path}"}),
        ):
            assert (await session.perform(attack, timeout_ms=TIMEOUT_MS)).error is None
        again = "() => fetch('/rebound', {cache: 'no-store'}).then(found => found.status)"
        assert [await session.page.evaluate(again) for _ in range(3)] == [200] * 3
        await session.page.evaluate(f"new WebSocket('ws://rebind.test:{own.port}/')")
        await async_wait_until(lambda: refused(session), what="the refusal")
    assert asked == ["rebind.test"]
    assert own.silent


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]", "100.100.100.200"]
)
async def test_no_page_and_no_step_reaches_cloud_metadata(
    pool: WarmBrowserPool, site: Site, own: Listener, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """By HTTP, TLS and WebSockets; nothing is sent to it, because the proxy makes no connection."""
    path = site.page("/meta", "<p id=x>a</p>")
    async with session_of(pool, site, own, monkeypatch) as session:
        assert session._egress is not None
        assert (await session.perform(goto(path), timeout_ms=TIMEOUT_MS)).error is None
        for script in (
            f"new WebSocket('ws://{host}/latest')",
            f"fetch('https://{host}/', {{mode: 'no-cors'}}).catch(() => 0)",
        ):
            before = session._egress.refused["metadata"]
            await session.page.evaluate(f"() => {{ {script} }}")
            await async_wait_until(lambda b=before: session._egress.refused["metadata"] > b, what="the refusal")
        for attack in (goto(f"http://{host}/latest/meta-data"), step("request", args={"get": f"http://{host}/"})):
            outcome = await session.perform(attack, timeout_ms=TIMEOUT_MS)
            assert "cloud metadata, link-local or reserved" in str(outcome.error)


async def test_a_page_that_is_permitted_reaches_the_listener(
    pool: WarmBrowserPool, site: Site, own: Listener
) -> None:
    """So the tests above can fail."""
    path = site.page("/open", "<p>")
    async with pool.session(SessionOptions(base_url=site.url)) as session:
        assert (await session.perform(goto(path), timeout_ms=TIMEOUT_MS)).error is None
        await session.page.evaluate("port => { new WebSocket(`ws://127.0.0.1:${port}/`) }", own.port)
        await async_wait_until(lambda: own.received, what="a byte")


async def test_a_case_may_narrow_the_hosts(pool: WarmBrowserPool, site: Site) -> None:
    """Those of its lists alone are reached; the message says which list."""
    place, other = site.url.removeprefix("http://"), f"127.0.0.1:{closed_port()}"
    layer = Layer(rule="case", allow_name="use.network of the case", allow=HostList.parse(place))
    site.page("/open", "<p>")
    async with pool.session(SessionOptions(base_url=site.url, network=(layer,))) as session:
        assert (await session.perform(goto("/open"), timeout_ms=TIMEOUT_MS)).error is None
        outcome = await session.perform(goto(f"http://{other}/"), timeout_ms=TIMEOUT_MS)
        assert outcome.error == (
            f"cannot open http://{other}/: the service refuses this address: {other} is not allowed by "
            "use.network of the case (ERR_BLOCKED_BY_CLIENT)"
        )


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_is_not_there_is_explained_as_without_a_proxy(
    pool: WarmBrowserPool, site: Site, scheme: str
) -> None:
    """The browser knows only that its proxy gave up."""
    url = f"{scheme}://127.0.0.1:{closed_port()}/"
    async with pool.session(SessionOptions(base_url=site.url)) as session:
        outcome = await session.perform(goto(url), timeout_ms=TIMEOUT_MS)
        cause = "nothing listens there; is the site up? (ERR_CONNECTION_REFUSED)"
        assert outcome.error == f"cannot open {url}: {cause}"


SAME = SessionLimits(received=500_000, response=1 << 20, pages=3, dialogs=3, elements=500)
EXCESSES = {
    "bytes": (
        "(async () => { while (true) await (await fetch(`/large`)).text() })()",
        "received more than 500000 bytes from the network (QA_RUN_NETWORK_MB)",
    ),
    "tabs": (
        "for (let i = 0; i < 3; i++) window.open(`/small`)",
        "more than 3 tabs, the most of a try (QA_RUN_PAGES)",
    ),
    "dialogs": ("for (let i = 0; i < 9; i++) alert(i)", "more than 3 dialogs, the most of a try (QA_RUN_DIALOGS)"),
    "elements": (
        "for (let i = 0; i < 600; i++) document.body.append(document.createElement(`p`))",
        "more than 500 elements, the most of a document (QA_RUN_ELEMENTS)",
    ),
}


@pytest.mark.parametrize("kind", EXCESSES)
async def test_a_page_that_exceeds_a_limit_fails_its_own_run_alone(
    pool: WarmBrowserPool, site: Site, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """With a message that names the limit and its setting; the run beside it passes, with the same limits."""
    monkeypatch.setattr(pool, "_limits", SAME)
    script, message = EXCESSES[kind]
    site.page("/small", "<p id=x>a</p>")
    site.page("/large", "x" * 200_000)
    site.page("/greedy", f"<button id=go onclick='{script}'>go</button>")
    async with (
        pool.session(SessionOptions(base_url=site.url)) as greedy,
        pool.session(SessionOptions(base_url=site.url)) as other,
    ):
        assert (await greedy.perform(goto("/greedy"), timeout_ms=TIMEOUT_MS)).error is None
        await greedy.perform(on("click", "#go"), timeout_ms=TIMEOUT_MS)
        await async_wait_until(lambda: greedy._log.flood, what="the end of the run")
        outcome = await greedy.perform(on("click", "#go"), timeout_ms=TIMEOUT_MS)
        assert outcome.kind is ErrorKind.PAGE_FLOOD
        assert message in str(outcome.error)
        assert (await other.perform(goto("/small"), timeout_ms=TIMEOUT_MS)).error is None
        assert (await other.perform(on("click", "#x"), timeout_ms=TIMEOUT_MS)).error is None


async def test_the_response_to_a_request_has_a_largest_size(
    pool: WarmBrowserPool, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its step fails; the run and the one beside it go on."""
    monkeypatch.setattr(pool, "_limits", SessionLimits(response=1 << 20))
    site.page("/half", "x" * (1 << 19))
    site.page("/large", "x" * (3 << 20))
    large, half = (step("request", args={"get": path}) for path in ("/large", "/half"))
    async with (
        pool.session(SessionOptions(base_url=site.url)) as greedy,
        pool.session(SessionOptions(base_url=site.url)) as other,
    ):
        outcome = await greedy.perform(large, timeout_ms=TIMEOUT_MS)
        assert outcome.error == (
            f"GET {site.url}/large: the response is larger than 1 MiB, the most that is read (QA_RUN_RESPONSE_MB)"
        )
        assert (await greedy.perform(half, timeout_ms=TIMEOUT_MS)).error is None
        assert (await other.perform(half, timeout_ms=TIMEOUT_MS)).error is None


BOMBS = {  # 120 MiB of zeros
    "gzip": gzip.compress(bytes(120 << 20), 1),
    "deflate": zlib.compress(bytes(120 << 20), 1),
    "br": base64.b64decode(
        "z///fwAkAOKxQHLv//n//w+ABEAcFoDu/T////8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n////wBIAMRhAeje//P//x8A"
        "CYA4LADd+//8//8DIAEQhwWge/8H"
    ),
}


async def test_the_response_to_a_request_has_a_largest_size_when_decompressed(
    pool: WarmBrowserPool, site: Site
) -> None:
    """A few hundred kB that stand for 120 MiB fail their step alone, whatever packs them."""
    site.page("/packed", gzip.compress(b"a" * (10 << 20)))
    site.headers["/packed"] = {"Content-Encoding": "gzip"}
    async with pool.session(SessionOptions(base_url=site.url)) as session:
        for encoding, body in BOMBS.items():
            path = site.page(f"/{encoding}-bomb", body)
            site.headers[path] = {"Content-Encoding": encoding}
            outcome = await session.perform(step("request", args={"get": path}), timeout_ms=TIMEOUT_MS)
            assert outcome.error == (
                f"GET {site.url}{path}: the response is larger than 100 MiB when decompressed, "
                "the most that is read (QA_RUN_RESPONSE_MB)"
            )
        packed = step("request", args={"get": "/packed", "save": {"text": "text"}})
        outcome = await session.perform(packed, timeout_ms=TIMEOUT_MS)
        assert len(outcome.saved["text"]) == 10 << 20


def network(**fields: Any) -> Use:
    return Use.model_validate({"network": fields})


async def test_a_slow_network_holds_up_pages_and_requests(pool: WarmBrowserPool, site: Site) -> None:
    """By its rate and its latency, whatever fetches; a run beside it has the whole network."""
    site.page("/slow", "<p id=x>a</p>")
    site.page("/large", "x" * 50_000)
    slow = network(throttle={"download": 400, "latency": 100})
    took = """async () => {
      const began = performance.now();
      await (await fetch("/large")).text();
      return performance.now() - began;
    }"""
    async with (
        pool.session(SessionOptions(base_url=site.url, use=slow)) as session,
        pool.session(SessionOptions(base_url=site.url)) as other,
    ):
        for one in (session, other):
            assert (await one.perform(goto("/slow"), timeout_ms=TIMEOUT_MS)).error is None
        assert await session.page.evaluate(took) >= 1_000  # 50 kB at 50 kB/s, and the latency
        began = asyncio.get_running_loop().time()
        assert (await session.perform(step("request", args={"get": "/large"}), timeout_ms=TIMEOUT_MS)).error is None
        assert asyncio.get_running_loop().time() - began >= 1.0
        outcome = await session.perform(step("request", args={"get": "/large"}), timeout_ms=300)
        assert "no response in 300 ms" in str(outcome.error)
        assert (await other.perform(step("request", args={"get": "/large"}), timeout_ms=TIMEOUT_MS)).error is None


async def test_requests_to_the_site_carry_the_trace_of_the_run(
    pool: WarmBrowserPool, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of pages and steps; each step is a span of its own, which a failed one names. No other host gets it."""
    monkeypatch.setattr(pool, "_resolve", names)
    port, trace = site.url.rpartition(":")[2], "4bf92f3577b34da6a3ce929d0e0e4736"
    site.page("/traced", f"<img src=/own.png><img src=http://other.test:{port}/other.png><p id=x>a</p>")
    options = SessionOptions(base_url=f"http://shop.test:{port}", trace_id=trace)
    async with pool.session(options) as session:
        assert (await session.perform(goto("/traced"), timeout_ms=TIMEOUT_MS)).error is None
        assert (
            await session.perform(
                step("request", args={"get": f"http://api.shop.test:{port}/traced"}), timeout_ms=TIMEOUT_MS
            )
        ).error is None
        failed = await session.perform(step("request", args={"get": "/none", "status": 200}), timeout_ms=TIMEOUT_MS)
        await async_wait_until(
            lambda: {"/own.png", "/other.png"} <= {path for path, _ in site.heard}, what="the images"
        )
    sent: dict[str, list[str | None]] = {}
    for path, headers in site.heard:
        sent.setdefault(path, []).append(headers.get("traceparent"))
    assert sent["/other.png"] == [None]
    page, request = sent["/traced"]
    assert sent["/own.png"] == [page]
    spans = [str(value).split("-") for value in (page, request, sent["/none"][0])]
    assert {(version, found, flags) for version, found, _, flags in spans} == {("00", trace, "01")}
    assert len({span for _, _, span, _ in spans}) == 3
    assert failed.notes[-1] == f"its requests to the site are in the trace {trace}, below the span {spans[2][2]}"


async def test_a_session_counts_what_it_sends_and_receives(pool: WarmBrowserPool, site: Site) -> None:
    """Of its pages and its steps."""
    site.page("/counted", "x" * 10_000)
    async with pool.session(SessionOptions(base_url=site.url)) as session:
        assert session.network_use == NetworkUse()
        assert (await session.perform(goto("/counted"), timeout_ms=TIMEOUT_MS)).error is None
        page = session.network_use
        assert (
            await session.perform(step("request", args={"get": "/counted"}), timeout_ms=TIMEOUT_MS)
        ).error is None
        both = session.network_use
    assert page is not None
    assert both is not None
    assert (page.requests >= 1, both.requests - page.requests) == (True, 1)
    assert page.received > 10_000
    assert 10_000 < both.received - page.received < 12_000
    assert both.sent > page.sent > 0


async def test_later_runs_have_static_files_from_the_cache(
    pool: WarmBrowserPool, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Scripts, styles and images by plain HTTP; the page itself, and what is for one user, come from the site."""
    monkeypatch.setattr(pool, "_cache", HttpCache(tmp_path / "cache", 10 << 20))
    head = "<link rel=stylesheet href=/s.css><script src=/s.js></script>"
    site.page("/app", f"{head}<img src=/mine.png><p id=x>a</p>")
    kinds = {"/s.js": "text/javascript", "/s.css": "text/css", "/mine.png": "image/png"}
    for path, kind in kinds.items():
        site.page(path, f"/* {'x' * 50_000} */")
        site.headers[path] = {"Content-Type": kind, "Cache-Control": "max-age=600"}
    site.headers["/mine.png"]["Cache-Control"] = "private, max-age=600"
    used = []
    for _ in range(2):
        async with pool.session(SessionOptions(base_url=site.url)) as session:
            assert (await session.perform(goto("/app"), timeout_ms=TIMEOUT_MS)).error is None
            await async_wait_until(lambda: len(list((tmp_path / "cache").glob("*"))) == 2, what="the files")
            used.append(session.network_use)
    heard = [path for path, _ in site.heard]
    assert {path: heard.count(path) for path in ("/app", *kinds)} == {
        "/app": 2,
        "/s.js": 1,
        "/s.css": 1,
        "/mine.png": 2,
    }
    assert [use.cached > 100_000 for use in used] == [False, True]
    assert used[1].received < used[0].received - 100_000
