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

_bearer = HTTPBearer(auto_error=False, description="A token created by `qa-queue token create`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The login of the pages.")


async def _backend(request: Request) -> Backend:
    return request.app.state.backend  # type: ignore[no-any-return] # set by create_app


async def _templates(request: Request) -> Jinja2Templates:
    return request.app.state.templates  # type: ignore[no-any-return] # set by create_app


Service = Annotated[Backend, Depends(_backend)]
Templates = Annotated[Jinja2Templates, Depends(_templates)]


def needs(role: Role, *, limited: bool = False) -> object:
    """Return the dependency of a route for this role and those above it; its value is the caller's identity.

    A token with limits may only read, except on routes that are `limited`, which check the limits themselves.

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
        if identity.scope is not None and role is not Role.READ and not limited:
            raise RefusedError(
                HTTPStatus.FORBIDDEN, f"The token of {identity.name} is limited to runs of its cases or hosts."
            )
        return identity

    return Depends(check)


Reader = Annotated[Identity, needs(Role.READ)]
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
