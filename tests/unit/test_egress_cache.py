"""The cache of static files: its rules, and its work in the proxy, over real sockets."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from processors.browser.egress.cache import CachedResponse, HttpCache, lifetime_s, may_store, may_use, must_ask
from processors.browser.egress.policy import EgressPolicy, Layer, endpoints
from processors.browser.egress.proxy import EgressProxy
from qa_queue.cases.hosts import HostList
from tests.support.poll import async_wait_until

CSS = {"content-type": "text/css", "cache-control": "max-age=60"}
DATES = {"date": "Thu, 08 Jan 2026 12:00:00 GMT", "expires": "Thu, 08 Jan 2026 12:01:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "stored"),
    [
        (CSS, True),
        ({"content-type": "image/png", "etag": '"a"'}, True),
        ({"content-type": "font/woff2", "last-modified": DATES["date"]}, True),
        ({"content-type": "text/javascript; charset=utf-8", **DATES}, True),
        (CSS | {"vary": "Accept-Encoding, Origin"}, True),
        (CSS | {"cache-control": "public, max-age=60, immutable"}, True),
        (CSS | {"cache-control": "no-cache", "etag": '"a"'}, True),
        (CSS | {"content-type": "text/html"}, False),
        (CSS | {"content-type": "application/json"}, False),
        ({"content-type": "text/css"}, False),
        (CSS | {"cache-control": "private, max-age=60"}, False),
        (CSS | {"cache-control": 'max-age=60, Private="x"'}, False),
        (CSS | {"cache-control": "max-age=60, no-store"}, False),
        (CSS | {"set-cookie": "a=b"}, False),
        (CSS | {"vary": "*"}, False),
        (CSS | {"vary": "Accept, Cookie"}, False),
        (CSS | {"vary": "authorization"}, False),
    ],
)
def test_what_may_be_kept(headers: dict[str, str], stored: bool) -> None:
    """Static files that are for everyone, and never anything else."""
    assert may_store(200, headers) is stored
    assert may_store(404, headers) is may_store(206, headers) is may_store(302, headers) is False


@pytest.mark.parametrize(
    ("headers", "used"),
    [
        ({}, True),
        ({"cookie": "a=b"}, True),
        ({"sec-fetch-dest": "font"}, True),
        ({"sec-fetch-dest": "document"}, False),
        ({"sec-fetch-dest": "empty"}, False),
        ({"authorization": "Basic eA=="}, False),
        ({"range": "bytes=0-1"}, False),
        ({"if-none-match": '"a"'}, False),
        ({"cache-control": "no-store"}, False),
        ({"content-length": "3"}, False),
        ({"upgrade": "websocket"}, False),
    ],
)
def test_which_requests_use_it(headers: dict[str, str], used: bool) -> None:
    """Plain ones by GET, without a login, for what may be kept."""
    assert may_use(b"GET", headers) is used
    assert may_use(b"POST", headers) is may_use(b"HEAD", headers) is False


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": "max-age=60, s-maxage=5"}, 5),
        ({"cache-control": "max-age=60, no-cache"}, 0),
        ({"cache-control": "max-age=-1"}, 0),
        ({"cache-control": "max-age=" + "9" * 400}, 0),
        (DATES, 60),
        (DATES | {"cache-control": "max-age=0"}, 0),
        (DATES | {"expires": "0"}, 0),
        ({}, 0),
    ],
)
def test_how_long_a_response_is_fresh(headers: dict[str, str], seconds: float) -> None:
    """As it says; never by a guess. Its age elsewhere counts, and a clock that was set back makes it stale."""
    assert lifetime_s(headers) == seconds
    kept = CachedResponse(url="u", headers=headers | {"age": "10"}, varies={}, stored_at=1_000.0)
    assert [kept.is_fresh(now) for now in (1_000.0 + max(0, seconds - 11), 1_000.0 + seconds, 900.0)] == [
        seconds > 11,
        False,
        False,
    ]


def test_a_page_that_is_loaded_again_asks_the_server() -> None:
    """With each of the headers that browsers send then."""
    assert [
        must_ask(one)
        for one in ({"cache-control": "max-age=0"}, {"cache-control": "no-cache"}, {"pragma": "no-cache"}, {})
    ] == [
        True,
        True,
        True,
        False,
    ]


async def test_the_folder_stays_within_its_size(tmp_path: Path) -> None:
    """The least recently used files go; a damaged one is not used."""
    cache = HttpCache(tmp_path / "cache", 30_000)

    def response(number: int) -> CachedResponse:
        return CachedResponse(url=f"http://a/{number}", headers=CSS, varies={}, stored_at=0.0, body=bytes(8_000))

    for number in range(3):
        await cache.store(response(number))
        await asyncio.to_thread(_age, tmp_path / "cache")
    assert await cache.find("http://a/0", {}) == response(0)
    await cache.store(response(3))
    kept = [number for number in range(4) if await cache.find(f"http://a/{number}", {})]
    assert kept == [0, 2, 3]
    await cache.store(CachedResponse(url="http://a/9", headers=CSS, varies={}, stored_at=0.0, body=bytes(40_000)))
    assert await cache.find("http://a/9", {}) is None
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(b"{}")
    assert await cache.find("http://a/3", {}) is None


def _age(folder: Path) -> None:
    """Make every file of the folder an hour older."""
    for path in folder.iterdir():
        found = path.stat()
        os.utime(path, (found.st_atime - 3600, found.st_mtime - 3600))


@dataclass
class Origin:
    """A server of one file of 50 kB for each path, with these headers; counts what it sends."""

    headers: dict[str, str]
    sent: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    place: str = ""
    open: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                asked = dict(re.findall(r"^([\w-]+): (.*)\r$", head, flags=re.MULTILINE))
                self.asked.append(
                    {name.lower(): value for name, value in asked.items()} | {"path": head.split()[1]}
                )
                unchanged = "etag" in self.headers and self.asked[-1].get("if-none-match") == self.headers["etag"]
                body = b"" if unchanged else b"x" * 50_000
                lines = [
                    f"HTTP/1.1 {'304 Not Modified' if unchanged else '200 OK'}",
                    f"content-length: {len(body)}",
                ]
                lines += [f"{name}: {value}" for name, value in self.headers.items()]
                data = "\r\n".join([*lines, "", ""]).encode() + body
                self.sent += len(data)
                writer.write(data)
        writer.close()


@asynccontextmanager
async def origin(**headers: str) -> AsyncIterator[Origin]:
    found = Origin(
        {"content-type": "text/css"} | {name.replace("_", "-"): value for name, value in headers.items()}
    )
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found
        for writer in found.open:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def run(
    cache: HttpCache, site: Origin, *headers: str, policy: EgressPolicy | None = None
) -> tuple[list[str], EgressProxy]:
    """One run that fetches 20 files, 1 MB in all, over one connection; the heads of the answers."""
    heads = []
    async with EgressProxy(policy or EgressPolicy(), cache=cache) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            for number in range(20):
                line = f"GET http://{site.place}/{number}.css HTTP/1.1"
                writer.write(
                    "\r\n".join([line, "Host: x", "Proxy-Connection: keep-alive", *headers, "", ""]).encode()
                )
                head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode()
                length = re.search(r"content-length: (\d+)", head)
                body = await asyncio.wait_for(reader.readexactly(int(length[1]) if length else 0), 20)
                assert body == b"x" * 50_000
                heads.append(head)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
    return heads, proxy


async def stored(folder: Path, number: int = 20) -> None:
    await async_wait_until(lambda: folder.is_dir() and len(list(folder.iterdir())) == number, what="the files")


@pytest.mark.parametrize("headers", [{"cache_control": "public, max-age=3600"}, {"etag": '"v1"'}])
async def test_a_hundred_runs_fetch_a_small_part(tmp_path: Path, headers: dict[str, str]) -> None:
    """At most 5 % of the bytes: those of the first run, and the answers to whether something has changed."""
    cache = HttpCache(tmp_path / "cache", 50 << 20)
    async with origin(**headers) as site:
        await run(cache, site)
        await stored(tmp_path / "cache")
        for _ in range(9):
            _, proxy = await run(cache, site)
        first = 20 * 50_000
        of_a_later_run = (site.sent - first) / 9
    assert proxy.cached > first
    assert (first + 99 * of_a_later_run) / (100 * first) < 0.05


async def test_a_file_that_has_changed_is_fetched_again(tmp_path: Path) -> None:
    """The server is asked with the validator of the old one; a page that is loaded again asks too."""
    cache = HttpCache(tmp_path / "cache", 50 << 20)
    async with origin(etag='"v1"', cache_control="max-age=3600") as site:
        await run(cache, site)
        await stored(tmp_path / "cache")
        heads, _ = await run(cache, site)
        assert len(site.asked) == 20
        assert "age: " in heads[0]
        await run(cache, site, "Cache-Control: no-cache")
        assert [one.get("if-none-match") for one in site.asked[20:]] == ['"v1"'] * 20
        site.headers["etag"] = '"v2"'
        heads, proxy = await run(cache, site, "Cache-Control: max-age=0")
        assert '"v2"' in heads[0]
        assert proxy.cached == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"cache_control": "private, max-age=60"},
        {"cache_control": "max-age=60", "set_cookie": "a=b"},
        {"cache_control": "max-age=60", "vary": "Cookie"},
    ],
)
async def test_what_is_for_one_user_is_never_kept(tmp_path: Path, headers: dict[str, str]) -> None:
    """Each run fetches it, and nothing is on the disk."""
    async with origin(**headers) as site:
        for _ in range(2):
            await run(HttpCache(tmp_path / "cache", 50 << 20), site)
        assert len(site.asked) == 40
    assert not (tmp_path / "cache").exists()


async def test_a_login_neither_fills_nor_reads_the_cache(tmp_path: Path) -> None:
    """Nor is another variant given out."""
    cache = HttpCache(tmp_path / "cache", 50 << 20)
    async with origin(cache_control="max-age=60", vary="Accept-Language") as site:
        await run(cache, site, "Authorization: Basic eA==")
        assert not (tmp_path / "cache").exists()
        await run(cache, site, "Accept-Language: de")
        await stored(tmp_path / "cache")
        await run(cache, site, "Accept-Language: de", "Authorization: Basic eA==")
        await run(cache, site, "Accept-Language: en")
        assert len(site.asked) == 80


async def test_the_cache_opens_no_host_that_is_denied(tmp_path: Path) -> None:
    """What another run fetched is not given to one that may not reach its host."""
    cache = HttpCache(tmp_path / "cache", 50 << 20)
    async with origin(cache_control="max-age=3600") as site:
        await run(cache, site)
        await stored(tmp_path / "cache")
        denying = Layer(rule="case", allow_name="use.network", allow=HostList.parse("shop.example"))
        for policy in (EgressPolicy(layers=(denying,)), EgressPolicy(own=endpoints([f"http://{site.place}"]))):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await run(cache, site, policy=policy)
