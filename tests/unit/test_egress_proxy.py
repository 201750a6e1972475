"""The proxy of a run, spoken to as an attacker would, over real sockets."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from processors.browser.egress.heads import head_of, plain_head, request_parser
from processors.browser.egress.policy import EgressPolicy, Layer, endpoints
from processors.browser.egress.proxy import EgressProxy
from qa_queue.cases.hosts import Address, HostList
from tests.support.listeners import Listener, listen
from tests.support.site import Site, serve_site


@pytest.fixture
def site() -> Iterator[Site]:
    with serve_site() as served:
        served.page("/a", "page a")
        yield served


@pytest.fixture
def own() -> Iterator[Listener]:
    """A part of the service."""
    with listen() as listener:
        yield listener


class Names:
    """Answers to look-ups of names, a list for each name, of which the last stays."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name.replace("_", "."): found for name, found in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> tuple[Address, ...]:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = self.answers[host]
        return (ipaddress.ip_address(found.pop(0) if len(found) > 1 else found[0]),)


@asynccontextmanager
async def proxy_of(
    *own: Listener, names: Names | None = None, allow: str | None = None
) -> AsyncIterator[EgressProxy]:
    layers = (Layer(rule="operator", allow_name="ALLOW", allow=HostList.parse(allow)),) if allow else ()
    policy = EgressPolicy(own=endpoints(f"http://127.0.0.1:{one.port}" for one in own), layers=layers)
    async with EgressProxy(policy, *([names] if names else ())) as proxy:
        yield proxy


async def talk(proxy: EgressProxy, *pieces: str) -> str:
    """Send each piece once the proxy has answered the one before; return everything that came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    said = b""
    try:
        for piece in pieces:
            writer.write(piece.encode("latin-1"))
            said += await asyncio.wait_for(answer(reader), 10)
        writer.write_eof()
        said += await asyncio.wait_for(reader.read(), 10)
    except OSError:  # it was closed in the middle
        pass
    finally:
        writer.close()
    return said.decode("latin-1")


async def answer(reader: asyncio.StreamReader) -> bytes:
    """One whole response; what came of it when it is broken off."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    length = re.search(rb"Content-Length: (\d+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def get(url: str, *headers: str) -> str:
    return "\r\n".join([f"GET {url} HTTP/1.1", "Host: anything", *headers, "", ""])


def connect(place: str) -> str:
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n"


async def test_absolute_urls_and_tunnels_reach_a_site(site: Site) -> None:
    """Requests reach the server in origin form, with the host of their URL; bytes are counted."""
    place = site.url.removeprefix("http://")
    async with proxy_of() as proxy:
        assert "page a" in await talk(proxy, get(f"{site.url}/a?x=1", "Proxy-Connection: keep-alive"))
        said = await talk(proxy, connect(place), get("/a", "Connection: close"))
        assert said.startswith("HTTP/1.1 200 Connected")
        assert "page a" in said
        assert proxy.requests == 2
        assert proxy.received > 2 * len("page a")
        assert proxy.sent > 0


async def test_one_connection_may_have_requests_to_several_hosts(site: Site, own: Listener) -> None:
    """Each is decided; a body is passed on to its own request's host only."""
    with serve_site() as other:
        other.page("/b", lambda form: f"page b got {form['x']}")
        async with proxy_of(own) as proxy:
            post = f"POST {other.url}/b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nx=1"
            said = await talk(proxy, get(f"{site.url}/a"), post, get(f"http://127.0.0.1:{own.port}/"))
    assert "page a" in said
    assert "page b got 1" in said
    assert own.silent


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1:{port}", "127.1:{port}", "2130706433:{port}", "0x7f000001:{port}", "0177.0.0.1:{port}",
        "localhost:{port}", "LOCALHOST.:{port}", "x.localhost:{port}", "0.0.0.0:{port}", "[::1]:{port}",
        "[::]:{port}",
        "[::ffff:127.0.0.1]:{port}", "[::ffff:7f00:1]:{port}", "[0:0:0:0:0:0:0:1]:{port}", "%31%32%37.0.0.1:{port}",
    ],
)  # fmt: skip
async def test_the_service_is_not_reached(own: Listener, place: str) -> None:
    """By no form of its address, neither by a tunnel nor by an absolute URL; not one byte arrives."""
    written = place.format(port=own.port)
    async with proxy_of(own) as proxy:
        assert "502" in await talk(proxy, connect(written), "anything")
        assert await talk(proxy, get(f"http://{written}/")) == ""
        assert proxy.refused == {"own": 2}
    assert own.silent


@pytest.mark.parametrize(
    "request_line",
    [
        "GET http://site.test@127.0.0.1:{port}/ HTTP/1.1",
        "GET http://127.0.0.1:{port}\\@site.test/ HTTP/1.1",
        "GET http:\\\\127.0.0.1:{port}/ HTTP/1.1",
        "GET http://127.0.0.1:{port}:80/ HTTP/1.1",
        "GET http://[127.0.0.1:{port}/ HTTP/1.1",
        "GET ftp://127.0.0.1:{port}/ HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET // HTTP/1.1",
        "GET /a HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT user@127.0.0.1:{port} HTTP/1.1",
        "CONNECT 127.0.0.1 HTTP/1.1",
        "CONNECT 127.0.0.1:{port}/x HTTP/1.1",
        "CONNECT http://127.0.0.1:{port} HTTP/1.1",
        "CONNECT :{port} HTTP/1.1",
        "GET http://127.0.0.1:{port}/ HTTP/9",
        "nonsense",
    ],
)
async def test_what_no_browser_sends_is_refused(own: Listener, request_line: str) -> None:
    """User names in hosts, backslashes, other schemes, and requests for the proxy itself."""
    async with proxy_of() as proxy:
        said = await talk(proxy, f"{request_line.format(port=own.port)}\r\nHost: site.test\r\n\r\n")
    assert said.startswith("HTTP/1.1 400 ")
    assert own.silent


async def test_the_host_header_does_not_choose_the_destination(site: Site, own: Listener) -> None:
    """Nor does it reach the server: it gets the host of the URL."""
    async with proxy_of(own) as proxy:
        said = await talk(
            proxy, get(f"{site.url}/a", f"Host: 127.0.0.1:{own.port}").replace("Host: anything\r\n", "")
        )
    assert "page a" in said
    assert own.silent


SMUGGLED = "GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        "POST {site}/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST {site}/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST {site}/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "POST {site}/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
        "POST {site}/a HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        "GET {site}/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET {site}/a HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Host, Proxy-Connection\r\n\r\n",
        "GET {site}/a HTTP/1.1\r\nHost: x\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        "GET {site}/a HTTP/1.1\r\nHost: x\r\nX: a\r\n 127.0.0.1:{port}\r\n\r\n",
        "GET {site}/a HTTP/1.1\nHost: x\n\n",
        "GET {site}/a#@127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "HEAD {site}/a HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_no_request_is_smuggled_behind_another(site: Site, own: Listener, head: str) -> None:
    """However ambiguous the first one is, the proxy decides on each: the service hears nothing of the second."""
    text = head.format(site=site.url, port=own.port) + SMUGGLED.format(port=own.port)
    async with proxy_of(own) as proxy:
        await talk(proxy, text)
    assert own.silent


@pytest.mark.parametrize(
    "header", ["Upgrade: websocket\r\nConnection: Upgrade", "Upgrade: h2c\r\nConnection: Upgrade"]
)
async def test_a_connection_that_was_upgraded_stays_with_its_server(site: Site, own: Listener, header: str) -> None:
    """Also where the server did not agree: what follows leads nowhere else."""
    async with proxy_of(own) as proxy:
        said = await talk(
            proxy, f"GET {site.url}/a HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n", SMUGGLED.format(port=own.port)
        )
    assert "page a" in said
    assert own.silent


async def test_a_tunnel_to_another_port_is_decided_by_its_port(site: Site, own: Listener) -> None:
    """CONNECT to a host that is allowed at one port does not open the others."""
    place = site.url.removeprefix("http://")
    async with proxy_of(allow=place) as proxy:
        assert "200" in await talk(proxy, connect(place), get("/a", "Connection: close"))
        assert "502" in await talk(proxy, connect(f"127.0.0.1:{own.port}"), "anything")
    assert own.silent


async def test_a_name_in_a_tunnel_does_not_choose_the_destination(site: Site, own: Listener) -> None:
    """A Host header, or an absolute URL, inside a tunnel goes to the tunnel's server alone."""
    place = site.url.removeprefix("http://")
    async with proxy_of(own) as proxy:
        inner = get(
            f"http://127.0.0.1:{own.port}/a", f"X-Forwarded-Host: 127.0.0.1:{own.port}", "Connection: close"
        )
        await talk(proxy, connect(place), inner)
    assert own.silent


BROWSER = ("Proxy-Connection: keep-alive", "Accept: text/css,*/*;q=0.1", "Cookie: a=b; c=\xe9", "X-Empty:")


@pytest.mark.parametrize("path", ["/", "/a", "/a/b.css?x=1&y=%20[2]#", "/~ann/(1)?u=http://other.test/"])
@pytest.mark.parametrize("place", ["127.0.0.1:8080", "shop.test", "[::1]:80", "SHOP.test:81", "127.1"])
def test_the_short_way_reads_what_h11_reads(place: str, path: str) -> None:
    """The same destination, and the same lines for the server, in another order."""
    data = get(f"http://{place}{path}", *BROWSER).encode("latin-1")
    parser = request_parser()
    parser.receive_data(data)
    slow, fast = head_of(parser.next_event()), plain_head(data)
    if "#" in path:
        assert fast is None
        return
    assert fast is not None
    assert (fast.method, fast.url, fast.to) == (slow.method, slow.url, slow.to)
    assert (fast.single, fast.upgrade, fast.chunked) == (slow.single, slow.upgrade, slow.chunked)
    assert fast.headers == slow.headers
    assert fast.message().split(b"\r\n")[:2] == slow.message().split(b"\r\n")[:2]


@pytest.mark.parametrize(
    "data",
    [
        get("http://a.test/", "Content-Length: 3") + "abc",
        get("http://a.test/", "Content-Length: 0"),
        get("http://a.test/", "TRANSFER-ENCODING: chunked"),
        get("http://a.test/", "Upgrade: websocket", "Connection: Upgrade"),
        get("http://a.test/", "Connection: close"),
        get("http://a.test/", "Proxy-Connection: close"),
        get("http://a.test/", "Proxy-Connection:   Keep-Alive, close"),
        get("http://a.test/", "Proxy-Authorization: Basic eA=="),
        get("http://a.test/", "Host: b.test"),
        get("http://a.test/", "Expect: 100-continue"),
        get("http://a.test/", "X : a"),
        get("http://a.test/", "X: a\r\n b"),
        get("http://a.test/", "X: a\0b"),
        get("http://a.test/", "X: a\rContent-Length: 3"),
        get("http://a.test/", "X: a").replace("Host: anything\r\n", ""),
        get("http://a.test/") * 2,
        get("http://a.test/")[:-2],
        get("http://a.test/").replace("\r\n", "\n"),
        get("http://a.test/").replace("1.1", "1.0"),
        get("http://a.test/").replace("GET", "POST"),
        get("http://user@a.test/"),
        get("http://[::1/") + "x",
        get("http://a.test\\@b.test/"),
        get("http://a.test/\\b"),
        get("http://a.test"),
        get("ws://a.test/"),
        get("/a"),
    ],
)
def test_the_short_way_leaves_the_rest_to_h11(data: str) -> None:
    """Bodies, upgrades, headers for the proxy, and whatever is ambiguous."""
    assert plain_head(data.encode("latin-1")) is None


async def test_a_request_reaches_its_server_in_one_form() -> None:
    """Origin form, one Host, no headers for the proxy; of two lengths the one that counts; a chunked body whole."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    lengths = ("Content-Length: 3", "Transfer-Encoding: chunked")
    headers = ("Proxy-Connection: keep-alive", "Proxy-Authorization: Basic eA==", "X-Own: a", *lengths)
    head = get(f"http://{place}/a?b", *headers).replace("GET", "POST")
    async with server, proxy_of() as proxy:
        assert "200 OK" in await talk(proxy, head + "3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n")
    first, _, body = (await heard.get()).partition(b"\r\n\r\n")
    assert first.split(b"\r\n") == [
        b"POST /a?b HTTP/1.1",
        f"Host: {place}".encode(),
        b"Connection: keep-alive",
        b"X-Own: a",
        b"Transfer-Encoding: chunked",
    ]
    assert b"".join(re.findall(rb"[0-9a-f]+\r\n(abc|[0-9a-f]{3,})\r\n", body)) == b"abc0123456789abcdef"


async def test_a_name_that_changes_its_address_is_pinned(site: Site, own: Listener) -> None:
    """The answer that was judged is the one that is connected to, in this run; it is asked for once."""
    port = site.url.rpartition(":")[2]
    names = Names(rebind_test=["127.0.0.1", "169.254.169.254"], own_test=["127.0.0.1"])
    async with proxy_of(own, names=names) as proxy:
        for _ in range(3):
            assert "page a" in await talk(proxy, get(f"http://rebind.test:{port}/a"))
        assert await talk(proxy, get(f"http://own.test:{own.port}/")) == ""
        assert names.asked == ["rebind.test", "own.test"]
    async with proxy_of(own, names=names) as proxy:
        assert await talk(proxy, get(f"http://rebind.test:{port}/a")) == ""
        assert proxy.refused == {"metadata": 1}
    assert own.silent


async def test_a_tunnel_carries_an_allowed_scheme_only(site: Site) -> None:
    """Where TLS alone is allowed, the first byte of another protocol ends the tunnel."""
    place = site.url.removeprefix("http://")
    async with proxy_of(allow="https://127.0.0.1") as proxy:
        said = await talk(proxy, connect(place), get("/a"))
        assert "page a" not in said
        assert proxy.refused == {"operator": 1}
        assert await talk(proxy, get(f"{site.url}/a")) == ""


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://127.0.0.1:1/", "CONNECTION_REFUSED"), ("http://no-such-host.invalid/", "NAME_NOT_RESOLVED")],
)
async def test_a_host_that_is_not_reached_is_named_with_the_reason(url: str, code: str) -> None:
    """In the words of the browser, which sees only that its proxy gave up."""
    async with proxy_of(names=Names()) as proxy:
        assert await talk(proxy, get(url)) == ""
        explained = proxy.explain(f"net::ERR_EMPTY_RESPONSE at {url}", url)
        assert explained == f"net::ERR_{code} at {url}"
        assert proxy.notes == []


async def test_refusals_are_listed_by_destination(own: Listener) -> None:
    """Each once with its number, and the rest as a number."""
    async with proxy_of(own) as proxy:
        for _ in range(2):
            await talk(proxy, get(f"http://127.0.0.1:{own.port}/"))
        for last in range(1, 13):
            await talk(proxy, connect(f"169.254.0.{last}:80"))
        assert proxy.notes[0] == f"refused 2 x 127.0.0.1:{own.port}, which is an address of the service itself"
        assert proxy.notes[-1] == "refused 3 other destinations too"


async def test_a_host_that_is_made_of_a_secret_is_masked(own: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """In the log, in the report and in the step's error; hosts are in lower case."""
    layer = Layer(rule="case", allow_name="use.network of the case", allow=HostList.parse("shop.example"))
    names = Names(hunter22_test=["127.0.0.1"])
    async with EgressProxy(EgressPolicy(layers=(layer,)), names, secrets=["Hunter22"]) as proxy:
        await talk(proxy, connect(f"hunter22.test:{own.port}"))
        error = proxy.explain("net::ERR_TUNNEL_CONNECTION_FAILED", f"https://hunter22.test:{own.port}/")
    assert f"***.test:{own.port} is not allowed by use.network of the case" in error
    assert proxy.notes == [f"refused 1 x ***.test:{own.port}, which is not allowed by use.network of the case"]
    assert "***.test" in caplog.text
    assert "hunter22" not in caplog.text + error
    assert own.silent


async def test_a_large_answer_is_passed_on_whole(site: Site) -> None:
    """The sender waits while the receiver does not read."""
    size = 20_000_000
    site.page("/large", "x" * size)
    async with proxy_of() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=1024)
        writer.write(get(f"{site.url}/large", "Connection: close").encode())
        total = 0
        while data := await asyncio.wait_for(reader.read(100_000), 30):
            total += len(data)
        writer.close()
    assert total > size
