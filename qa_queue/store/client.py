"""The client of Supabase's REST API: time-outs, threads, pages, and errors of our own; filters for its queries."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from postgrest import SyncPostgrestClient, SyncRequestBuilder
from postgrest.exceptions import APIError

from qa_queue.errors import SettingsError, StoreError
from qa_queue.models import RunStatus
from qa_queue.settings import Settings
from qa_queue.store.postgrest_errors import explain_answer, explain_failure, refuse_public_key
from qa_queue.store.records import RunPlace, RunRecord

PAGE = 1000  # PostgREST's usual `max_rows`
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
# Shorter than the 5 s after which Node's server hangs up, so that no call uses a connection that is just closing.
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=3.0)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Row = dict[str, Any]


class Query(Protocol):
    """A query of supabase-py, ready to be sent."""

    def execute(self) -> Any:
        """Send it."""


class SupabaseClient:
    """Calls to the REST API of a project. Safe to use from several threads; `close` when done.

    Raises:
        SettingsError: the URL or the key is impossible.
    """

    def __init__(self, url: str, key: str) -> None:
        self.host = _host(url)
        refuse_public_key(key)
        self._http = httpx.Client(
            timeout=TIMEOUT,
            limits=_LIMITS,
            trust_env=not is_on_loopback(url),
            verify=_trust(url),
            event_hooks={"response": [partial(_raise_failure, self.host)]},
        )
        self._rest = _rest(url, key, self._http)
        self._longest_page = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> SupabaseClient:
        """Return a client for the project that the settings name.

        Raises:
            SettingsError: SUPABASE_URL or the key is not set, or impossible.
        """
        return cls(*project_of(settings))

    def table(self, name: str) -> SyncRequestBuilder:
        """Return the start of a query on a table, to be completed and passed to `send`."""
        return self._rest.from_(name)

    def function(self, name: str, arguments: dict[str, Any]) -> Any:
        """Return the call of a function that returns rows, to be passed to `send`."""
        return self._rest.rpc(name, arguments)

    def send(self, query: Query) -> Any:
        """Send a query and return supabase-py's response, with `data` and `count`.

        Raises:
            StoreUnavailableError, StoreAuthError, StoreSchemaError, RowRefusedError, StoreError: see their docs.
        """
        try:
            response = query.execute()
        except httpx.HTTPError as error:
            raise explain_failure(error, self.host) from None
        except (APIError, json.JSONDecodeError):
            raise self._not_supabase() from None
        if not isinstance(response.data, list):  # supabase-py passes on a text that is not JSON
            raise self._not_supabase()
        return response

    def read(self, build: Callable[[list[Row], int], Query], limit: int | None = None) -> list[Row]:
        """Return rows page by page, at most `limit`; `build(found, size)` makes the query for the next page.

        A server may give fewer rows than a query asks for. A page is the last one if it is empty, has all the rows
        that its query counts, or is shorter than an earlier page, because the server's limit allows that many rows.
        """
        found: list[Row] = []
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            answer = self.send(build(found, size))
            page = answer.data
            found += page
            if len(page) == answer.count or len(page) < max(1, min(size, self._longest_page)):
                break
            self._longest_page = max(self._longest_page, len(page))
        return found

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _not_supabase(self) -> StoreError:
        return StoreError(f"the answer of {self.host} is not Supabase's: is SUPABASE_URL the project's URL?")


def _trust(url: str) -> ssl.SSLContext | bool:
    """Return the certificates to trust: none for plain HTTP, since reading those of the machine takes time."""
    return True if urlsplit(url).scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_on_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine, which a proxy of the environment cannot reach."""
    return urlsplit(url).hostname in _LOOPBACK


def project_of(settings: Settings) -> tuple[str, str]:
    """Return the URL and the secret key of the project that the settings name.

    Raises:
        SettingsError: SUPABASE_URL or the key is not set.
    """
    if not settings.supabase_url or not settings.supabase_secret_key:
        raise SettingsError(
            "SUPABASE_URL and SUPABASE_SECRET_KEY are not both set: set them in the environment or in .env to "
            "the URL and the secret key of your project, or start the embedded one with `qa-queue up`."
        )
    return settings.supabase_url, settings.supabase_secret_key.get_secret_value().strip()


def with_text(query: Any, column: str, text: str) -> Any:
    """Restrict the query to rows with this text; in quotes, as the embedded database reads `true` as a boolean."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return query.filter(column, "in", f'("{quoted}")')


def runs_with(
    query: Any, *, cases: Sequence[str] | None, statuses: Sequence[RunStatus] | None, user_id: str | None
) -> Any:
    """Restrict the query to runs of these cases, with these statuses, of a user."""
    if cases is not None:
        query = query.in_("test_case_id", cases)
    if statuses is not None:
        query = query.in_("status", [status.value for status in statuses])
    return query if user_id is None else with_text(query, "user_id", user_id)


def runs_between(query: Any, *, queued_since: datetime | None, finished_before: datetime | None) -> Any:
    """Restrict the query to runs that were queued since one time and finished before another."""
    if queued_since is not None:
        query = query.gte("queued_at", queued_since.isoformat())
    return query if finished_before is None else query.lt("finished_at", finished_before.isoformat())


def rows_after(
    query: Any, last: RunRecord | RunPlace | None, *, oldest_first: bool, column: str = "queued_at"
) -> Any:
    """Sort the query by a time and id, and restrict it to rows after the last one that was seen."""
    query = query.order(column, desc=not oldest_first).order("id", desc=not oldest_first)
    if last is None:
        return query
    sign, moment = ("gt" if oldest_first else "lt"), last.queued_at.isoformat()
    query = query.filter(column, f"{sign}e", moment)  # implied by the next line, but an index can serve it
    return query.or_(f'{column}.{sign}."{moment}",and({column}.eq."{moment}",id.{sign}.{last.id})')


def page_by_id(query: Any, found: Sequence[Row], size: int) -> Any:
    """Sort the query by id and restrict it to `size` rows after those that were found."""
    query = query.gt("id", found[-1]["id"]) if found else query
    return query.order("id").limit(size)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsError(f"SUPABASE_URL={url!r} is not the URL of a project, such as https://abc.supabase.co.")
    return host


def _rest(url: str, key: str, http: httpx.Client) -> SyncPostgrestClient:
    """Return supabase-py's client of the REST API alone, with the headers that `supabase.create_client` sets.

    The whole client also loads those of authentication, storage, functions and realtime, which takes 0.2 s.
    """
    return SyncPostgrestClient(
        f"{url.rstrip('/')}/rest/v1",
        headers={"apiKey": key, "Authorization": f"Bearer {key}"},
        http_client=http,
        retry_enabled=False,  # it sleeps for seconds; the caller decides whether to wait
    )


def _raise_failure(host: str, response: httpx.Response) -> None:
    """Raise the error for a status other than 2xx here, because supabase-py keeps only the body."""
    if response.is_success:
        return
    try:
        body = json.loads(response.read())
    except ValueError:
        body = None
    raise explain_answer(response.status_code, body, response.request.url.path.rsplit("/", 1)[-1], host)
