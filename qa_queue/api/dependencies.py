"""Parameters that operations share: the service, the caller, the name of a queue, the idempotency key."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from starlette.templating import Jinja2Templates

from qa_queue.api.auth import COOKIE
from qa_queue.api.errors import RefusedError
from qa_queue.auth.tokens import Identity, Role
from qa_queue.errors import UnknownQueueError
from qa_queue.extensions import known_queue, queue_names
from qa_queue.services import Backend
from qa_queue.services.limited import LimitedBackend

_bearer = HTTPBearer(auto_error=False, description="A token created by `qa-queue token create`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The login of the pages.")


async def _backend(request: Request) -> Backend:
    """Return the service as the caller may see it; a public path has no caller."""
    backend: Backend = request.app.state.backend  # set by create_app
    caller: Identity | None = getattr(request.state, "identity", None)
    if caller is None or caller.scope is None or not caller.stored_only:
        return backend
    return LimitedBackend(backend, caller, caller.scope)


async def _templates(request: Request) -> Jinja2Templates:
    return request.app.state.templates  # type: ignore[no-any-return] # set by create_app


Service = Annotated[Backend, Depends(_backend)]
Templates = Annotated[Jinja2Templates, Depends(_templates)]


def needs(role: Role, *, limited: bool = False) -> object:
    """Return the dependency of a route for this role and those above it; its value is the caller's identity.

    A token with limits may use only routes that are `limited`. These read from the service as the token may see it,
    and what they change they check against the limits themselves.

    Raises:
        RefusedError: 403 when the caller's role is lower, or its token has limits.
    """

    async def check(
        request: Request,
        token: Annotated[object, Security(_bearer)] = None,
        session: Annotated[object, Security(_cookie)] = None,
    ) -> Identity:
        del token, session  # declared for the OpenAPI document; the middleware has checked them
        identity: Identity = request.state.identity
        if not identity.role.covers(role):
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                f"{identity.name} has the role {identity.role}, and this needs {role}.",
            )
        refuse_limits(identity, reads=role is Role.READ, limited=limited)
        return identity

    return Depends(check)


def refuse_limits(caller: Identity, *, reads: bool, limited: bool = False) -> None:
    """Refuse a token with limits; one that is limited to hosts alone may read everything.

    Raises:
        RefusedError: 403.
    """
    if caller.scope is None or limited or (reads and not caller.stored_only):
        return
    raise RefusedError(
        HTTPStatus.FORBIDDEN,
        f"The token of {caller.name} is limited to runs of its cases or hosts, and this is about all.",
    )


Reader = Annotated[Identity, needs(Role.READ, limited=True)]
ServiceReader = Annotated[Identity, needs(Role.READ)]  # of what is not of single cases
Runner = Annotated[Identity, needs(Role.RUN)]
RunStarter = Annotated[Identity, needs(Role.RUN, limited=True)]
Admin = Annotated[Identity, needs(Role.ADMIN)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="A repeated request with the same key within 24 h returns what the first one created.",
        examples=["deploy-4711"],
    ),
]


class _QueueNames:
    """Lists the names when the OpenAPI document is built, because installed packages add queues."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found: dict[str, Any] = handler(schema)
        return {**found, "enum": list(queue_names())}


def _known(name: str) -> str:
    try:
        return known_queue(name)
    except UnknownQueueError as error:
        raise PydanticCustomError("unknown_queue", "{message}", {"message": str(error)}) from None


KnownQueue = Annotated[str, AfterValidator(_known), _QueueNames()]
