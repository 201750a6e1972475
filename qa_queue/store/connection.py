"""What queries of the store ask for, put on PostgREST's builders. Pure.

One supabase-py client for a process: time-outs, threads, and errors in our own words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from postgrest import SyncRequestBuilder
from postgrest.exceptions import APIError
from supabase import Client, ClientOptions, create_client

from qa_queue.errors import SettingsError, StoreError
from qa_queue.models import RunStatus
from qa_queue.store.postgrest_errors import explain_answer, explain_failure, refuse_public_key
from qa_queue.store.records import RunPlace, RunRecord


def one_of(column: str, ids: Sequence[str], query: Any) -> Any:
    """The rows whose column is one of these."""
    return query.in_(column, ids)


def which(query: Any, *, case_id: str | None, statuses: Sequence[RunStatus] | None, user_id: str | None) -> Any:
    """Runs of a case, of these statuses, of a user."""
    if case_id is not None:
        query = query.eq("test_case_id", case_id)
    if statuses is not None:
        query = query.in_("status", [status.value for status in statuses])
    return query if user_id is None else query.eq("user_id", user_id)


def when(query: Any, *, queued_since: datetime | None, finished_before: datetime | None) -> Any:
    """Runs queued since one moment, finished before another."""
    if queued_since is not None:
        query = query.gte("queued_at", queued_since.isoformat())
    return query if finished_before is None else query.lt("finished_at", finished_before.isoformat())


def behind(query: Any, last: RunRecord | RunPlace | None, *, oldest_first: bool) -> Any:
    """The query in order, from behind the last run that was seen."""
    query = query.order("queued_at", desc=not oldest_first).order("id", desc=not oldest_first)
    if last is None:
        return query
    sign, moment = ("gt" if oldest_first else "lt"), last.queued_at.isoformat()
    query = query.filter("queued_at", f"{sign}e", moment)  # says again what follows, in a form an index can serve
    return query.or_(f'queued_at.{sign}."{moment}",and(queued_at.eq."{moment}",id.{sign}.{last.id})')


TIMEOUT = httpx.Timeout(20.0, connect=5.0)
# Shorter than the 5 s after which Node's server hangs up, so that no call meets a line that is just closing.
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=3.0)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Query(Protocol):
    """What supabase-py builds from a table: ready to be sent."""

    def execute(self) -> Any:
        """Send it."""


class Connection:
    """Calls to the REST API of a project. Safe to use from several threads.

    Raises:
        SettingsError: the URL or the key cannot be one.
    """

    def __init__(self, url: str, key: str) -> None:
        self.host = _host(url)
        refuse_public_key(key)
        self._http = httpx.Client(
            timeout=TIMEOUT,
            limits=_LIMITS,
            trust_env=urlsplit(url).hostname not in _LOOPBACK,  # a proxy knows nothing of this machine
            event_hooks={"response": [partial(_refuse_failures, self.host)]},
        )
        self._client = _client(url, key, self._http)
        self._rest = self._client.postgrest  # made at first use, so here, before there are threads

    def table(self, name: str) -> SyncRequestBuilder:
        """A query on a table, to be built and given to `send`."""
        return self._rest.from_(name)

    def send(self, query: Query) -> Any:
        """Send a query and return supabase-py's answer, with `data` and `count`.

        Raises:
            StoreUnavailableError, StoreAuthError, StoreSchemaError, StoreError: as their names say.
        """
        try:
            answer = query.execute()
        except httpx.HTTPError as error:
            raise explain_failure(error, self.host) from None
        except (APIError, json.JSONDecodeError):
            raise self._no_supabase() from None
        if not isinstance(answer.data, list):  # supabase-py passes on a text that is no JSON
            raise self._no_supabase()
        return answer

    def _no_supabase(self) -> StoreError:
        return StoreError(f"{self.host} answered what no Supabase answers: is SUPABASE_URL the project's URL?")

    def close(self) -> None:
        """Close the lines."""
        self._http.close()


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsError(f"SUPABASE_URL={url!r} is no URL of a project: it looks like https://abc.supabase.co.")
    return host


def _client(url: str, key: str, http: httpx.Client) -> Client:
    options = ClientOptions(
        httpx_client=http,
        auto_refresh_token=False,
        persist_session=False,
        postgrest_client_retry=False,  # sleeps for seconds; who calls knows better whether to wait
    )
    return create_client(url, key, options)


def _refuse_failures(host: str, response: httpx.Response) -> None:
    """Raise what an answer other than 2xx means, while its status is at hand; supabase-py keeps the body alone."""
    if response.is_success:
        return
    try:
        body = json.loads(response.read())
    except ValueError:
        body = None
    raise explain_answer(response.status_code, body, response.request.url.path.rsplit("/", 1)[-1], host)
