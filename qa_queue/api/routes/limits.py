"""Limits: the most runs at once, and starts a minute, for a site or a user."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from qa_queue.api.auth import Admin, Reader
from qa_queue.api.errors import answers
from qa_queue.api.schemas.queues import Limit, LimitBody, LimitList, LimitRemoved
from qa_queue.errors import NotFoundError
from qa_queue.queues.limits import LimitRule, normal_key
from qa_queue.services import Backend

Key = Annotated[
    str,
    Path(min_length=1, max_length=300, description="A site or a user.", examples=["site:shop.example", "user:ann"]),
]


def router(backend: Backend) -> APIRouter:
    """The operations on rules."""
    routes = APIRouter(prefix="/limits", tags=["queue"])

    @routes.get("", responses=answers(), summary="List limits")
    def list_limits(_: Reader) -> LimitList:
        """Every rule, by key."""
        return LimitList(limits=[_limit(key, rule) for key, rule in backend.limits.rules().items()])

    @routes.put("/{key:path}", responses=answers(404, body=True), summary="Set a limit")
    def put_limit(key: Key, body: LimitBody, _: Admin) -> Limit:
        """Set the rule of `site:HOST`, `user:ID`, or of each of them on its own with `*`. It counts from the next
        job that is taken."""
        rule = LimitRule(at_once=body.at_once, a_minute=body.a_minute)
        return _limit(backend.limits.put(key, rule), rule)

    @routes.delete("/{key:path}", responses=answers(404), summary="Remove a limit")
    def remove_limit(key: Key, _: Admin) -> LimitRemoved:
        """Remove a rule; what it held up may start at once."""
        if not backend.limits.remove(key):
            raise NotFoundError(f"There is no limit for {key!r}.")
        return LimitRemoved(key=normal_key(key))

    return routes


def _limit(key: str, rule: LimitRule) -> Limit:
    return Limit(key=key, at_once=rule.at_once, a_minute=rule.a_minute)
