"""Operations that installed packages add to the API, behind the same tokens and roles.

A router that cannot be used is logged with its package, and the service works on without it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Set
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request

from qa_queue.api.auth import SAFE_METHODS
from qa_queue.api.dependencies import Reader, Service, refuse_limits
from qa_queue.api.errors import RefusedError, answers
from qa_queue.auth.tokens import Role
from qa_queue.errors import InputError
from qa_queue.extensions import ExtensionSpec, catalogue, load_named
from qa_queue.services import Backend
from qa_queue.store.audit import AuditKind

log = logging.getLogger(__name__)
Operation = tuple[str, str]  # its method, and its path without the names of parameters
_PREFIXES = ("/api/v1", "/api")  # of every operation; the first is in the document
_PARAMETER = re.compile(r"\{[^}]*\}")


def add_routers(app: FastAPI, own: Callable[[], Set[Operation]], backend: Backend) -> None:
    """Include the router of every queue that has one, beside the service's `own` operations."""
    found = catalogue()
    taken = set[Operation]()
    for spec in found.added:
        try:
            router = _router_of(spec, backend)
            operations = set(operations_of(router)) if router is not None else set()
            _refuse_clash(operations, taken | own() if operations else taken)
        except InputError as error:
            package = found.packages[spec.name]
            log.warning("The package %s adds no operations for its queue %s: %s", package, spec.name, error)
            continue
        taken |= operations
        if router is not None:
            include_operations(
                app, router, dependencies=[Depends(least_role), Depends(recorded)], responses=answers()
            )


def include_operations(target: FastAPI | APIRouter, router: APIRouter, **options: Any) -> None:
    """Include a router below every prefix, with these options of `include_router`; once in the document."""
    for prefix in _PREFIXES:
        target.include_router(router, prefix=prefix, include_in_schema=prefix == _PREFIXES[0], **options)


def least_role(request: Request, caller: Reader) -> None:
    """The least role for every operation of a package, whatever else it requires: `run` where it can change data.

    Raises:
        RefusedError: 403 when the caller's role is less, or its token has limits, of which a package knows nothing.
    """
    refuse_limits(caller, reads=request.method in SAFE_METHODS)
    if request.method not in SAFE_METHODS and not caller.role.covers(Role.RUN):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, f"{caller.name} has the role {caller.role}, and this needs {Role.RUN}."
        )


def recorded(request: Request, backend: Service, caller: Reader) -> Iterator[None]:
    """Record every change that an operation of a package makes, by its method and path."""
    if request.method in SAFE_METHODS:
        yield
        return
    with backend.audit.change(caller, AuditKind.PACKAGE, f"{request.method} {request.url.path}"):
        yield


def _router_of(spec: ExtensionSpec, backend: Backend) -> APIRouter | None:
    if spec.router is None:
        return None
    make = load_named(spec.router)
    try:
        router = make(backend)
    except Exception as error:  # another package's code runs here, and may raise whatever it likes
        raise InputError(f"{spec.router} cannot be made ({type(error).__name__}: {error}).") from error
    if not isinstance(router, APIRouter):
        raise InputError(f"{spec.router} made a {type(router).__name__}: it should make a FastAPI APIRouter.")
    return router


def _refuse_clash(operations: Set[Operation], taken: Set[Operation]) -> None:
    for method, path in sorted(operations & taken):
        raise InputError(f"{method} {path} is another operation already: give it another path.")


def operations_of(router: APIRouter) -> Iterator[Operation]:
    """Yield the operations of a router, as the document has them.

    Raises:
        InputError: no document can be made of it.
    """
    app = FastAPI()
    try:
        app.include_router(router)
        paths = app.openapi()["paths"]
    except Exception as error:  # another package's models may raise whatever they like
        raise InputError(f"its operations cannot be documented ({type(error).__name__}: {error}).") from error
    for path, methods in paths.items():
        yield from ((method.upper(), _PARAMETER.sub("{}", path)) for method in methods)
