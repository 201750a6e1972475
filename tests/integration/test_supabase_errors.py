"""A real Supabase with something wrong: what the store says, and that it never says the key."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qa_queue.errors import (
    QAError,
    SettingsError,
    StoreAuthError,
    StoreError,
    StoreSchemaError,
    StoreUnavailableError,
)
from qa_queue.local.process import LocalServer
from qa_queue.settings import load_settings
from qa_queue.store.supabase import SupabaseStore
from tests.support.records import case_record

ROOT = Path(__file__).resolve().parents[2]
KEY = "sb_secret_of_nobody"
Open = Callable[[str, str], SupabaseStore]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Stores that are closed after the test."""
    stores: list[SupabaseStore] = []

    def open_store(url: str, key: str) -> SupabaseStore:
        stores.append(SupabaseStore(url, key))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def fails(store: SupabaseStore, error: type[QAError], words: str) -> None:
    """Reading, writing and checking all raise it."""
    for call in (store.check, store.list_cases, lambda: store.save([case_record()])):
        with pytest.raises(error, match=words) as caught:
            call()
        assert type(caught.value) is error
        assert KEY not in str(caught.value)


def test_a_wrong_key_is_refused(supabase: LocalServer, opened: Open) -> None:
    """The message names the setting."""
    fails(opened(supabase.url, KEY), StoreAuthError, "SUPABASE_SECRET_KEY")


def test_missing_tables_name_the_command(bare_supabase: LocalServer, opened: Open) -> None:
    """A project without our migrations has no tables: `qa-queue migrate`."""
    store = opened(bare_supabase.url, bare_supabase.key)
    fails(store, StoreSchemaError, "test_cases.*run `qa-queue migrate`")


def test_a_server_that_is_not_there_is_an_outage(opened: Open) -> None:
    """No process listens on this port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        fails(opened(url, KEY), StoreUnavailableError, "cannot be reached.*qa-queue up")


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>Welcome</html>"), (302, b""), (404, b"Not found")])
def test_a_server_that_is_not_supabase_is_named(opened: Open, status: int, body: bytes) -> None:
    """Some other site answers at SUPABASE_URL."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        store = opened(f"http://127.0.0.1:{site.server_port}", KEY)
        try:
            with pytest.raises(StoreError, match="is SUPABASE_URL the project's URL"):
                store.list_cases()
            with pytest.raises(StoreError, match="is SUPABASE_URL the project's URL"):
                store.save_cases([case_record()])
        finally:
            store.close()
            site.shutdown()
            thread.join()


def test_a_table_that_others_refer_to_is_named_where_it_is_missing(opened: Open) -> None:
    """PostgREST names the outermost table of a query only, so each is asked for alone."""

    class OlderProject(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            missing = "locator_verdicts" in self.path
            said = b'{"code": "PGRST205", "message": "Could not find the table"}' if missing else b"[]"
            self.send_response(404 if missing else 200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), OlderProject) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        store = opened(f"http://127.0.0.1:{site.server_port}", KEY)
        try:
            with pytest.raises(StoreSchemaError, match=r"the table locator_verdicts .* run `qa-queue migrate`"):
                store.check()
        finally:
            store.close()
            site.shutdown()
            thread.join()


@pytest.mark.parametrize("url", ["abc.supabase.co", "ftp://abc.supabase.co", "http://", "http://[", "https://a:b"])
def test_a_text_that_is_not_a_url_is_refused(url: str) -> None:
    """Before any call, with its value."""
    with pytest.raises(SettingsError, match="SUPABASE_URL="):
        SupabaseStore(url, KEY)


@pytest.mark.parametrize(
    "given", [{}, {"supabase_url": "http://127.0.0.1:1"}, {"supabase_secret_key": KEY}, {"supabase_url": ""}]
)
def test_missing_settings_are_both_named(
    given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has both names and the command that starts the embedded one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"SUPABASE_URL and SUPABASE_SECRET_KEY.*qa-queue up"):
        SupabaseStore.from_settings(load_settings(**given))


def test_settings_open_the_store(supabase: LocalServer) -> None:
    """URL and key are all it takes; a copied space or line break at the key's end does no harm."""
    settings = load_settings(supabase_url=supabase.url + "/", supabase_secret_key=supabase.key + "\n")
    store = SupabaseStore.from_settings(settings)
    store.check()
    store.close()
