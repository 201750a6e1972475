"""The state of a login for a run: read, checked, created under a lease where it is missing, and saved.

The steps of a login run in a browser context of their own, of which nothing is recorded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from processors.base import Services
from processors.browser.protocol import BrowserSession, TraceContent
from processors.execution.login_plan import LoginPlan, hidden_values
from processors.execution.plan import RunPlan
from processors.execution.redaction import redact
from processors.execution.step_tree import Section
from processors.execution.stopping import StopSignal
from processors.execution.unrecorded import UnrecordedSteps
from processors.execution.verdict import StepResult
from qa_queue.auth.state_key import StateKey
from qa_queue.errors import InfrastructureError
from qa_queue.models import ErrorKind, utc_now
from qa_queue.queues.login_states import LEASE_MS

POLL_S = 0.25  # for the state that another run creates
WAITS = 3  # times the login's own time-out, for other runs
_log = logging.getLogger(__name__)


class LoginFailedError(Exception):
    """The run cannot have the state of its login."""

    def __init__(self, text: str, kind: ErrorKind) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class LoginState:
    """A state that a run may use: cookies and storage as JSON, and the run that created it."""

    fence: int
    state: dict[str, Any] = field(repr=False)
    created_at: datetime
    run_id: str

    def note(self, name: str, run_id: str) -> str:
        """Return a sentence about its origin, without its contents."""
        origin = "this run" if self.run_id == run_id else f"run {self.run_id}"
        moment = f"{self.created_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"began with the state of the login {name!r}, created by {origin} at {moment}"


@dataclass(kw_only=True)
class _Search:
    """The search of a run for a state: the newest `failure` before it, the end of its patience, and the fence of
    the state that it must not use."""

    login: LoginPlan
    digest: str
    failure: bytes | None
    end: float
    unusable: int = 0


@dataclass(kw_only=True)
class SavedLogins:
    """The states of one run's logins; `number` is that of the try."""

    plan: RunPlan
    services: Services
    stop: StopSignal
    number: int

    def __post_init__(self) -> None:
        self._states = self.services.login_states
        self._key = StateKey.of(self.services.settings)

    async def state(self, login: LoginPlan) -> LoginState:
        """Return a valid state: the stored one, or one that this or another run creates now.

        Raises:
            LoginFailedError: the steps of the login fail, or what they create is not valid; or the run has to stop.
            InfrastructureError: Redis or the browser failed.
        """
        search = _Search(
            login=login,
            digest=(digest := self._key.digest(login.identity)),
            failure=await self._failure(digest),
            end=time.monotonic() + WAITS * login.timeout_ms / 1000,
        )
        found = await self._read(search)
        if found is not None:
            if await self._problem(login, found) is None:
                return found
            search.unusable = found.fence
        found = await self._next(search)
        problem = await self._problem(login, found)
        if problem is not None:
            raise _invalid(login, problem)
        return found

    async def keep(self, name: str, state: dict[str, Any], expires_ms: int | None) -> str:
        """Store the state of a run's browser under a name, in place of another one; see `KeepState`."""
        login = self.plan.logins.named(name)
        digest = self._key.digest(login.identity)
        sealed = self._sealed(digest, state)
        while True:
            stored = await asyncio.to_thread(self._states.read, digest)
            fence = await asyncio.to_thread(self._states.claim, digest, stored.fence if stored else 0)
            lasting = expires_ms or login.expires_ms
            if fence and await asyncio.to_thread(self._states.store, digest, fence, sealed, lasting):
                return f"the state of the browser was saved as {name!r}"
            await asyncio.sleep(POLL_S)

    def _sealed(self, digest: str, state: dict[str, Any]) -> bytes:
        return self._key.seal(digest, {"run": self.plan.run_id, "state": state})

    async def _read(self, search: _Search) -> LoginState | None:
        """Return the stored state; None where it is missing, unusable or damaged."""
        stored = await asyncio.to_thread(self._states.read, search.digest)
        if stored is None or stored.fence == search.unusable:
            return None
        content = self._key.unseal(search.digest, stored.sealed)
        if content is None:
            _log.warning("Run %s: a stored state of a login cannot be read; it is created again", self.plan.run_id)
            search.unusable = stored.fence
            return None
        return LoginState(stored.fence, content["state"], stored.created_at, content["run"])

    async def _next(self, search: _Search) -> LoginState:
        """Return the next state: one that this run creates, or another one meanwhile.

        Raises:
            LoginFailedError: the login fails, takes too long, or the run has to stop.
        """
        if search.login.login is None:
            raise LoginFailedError(self._not_saved(search.login), ErrorKind.INPUT)
        while not self.stop.over:
            fence = await asyncio.to_thread(self._states.claim, search.digest, search.unusable)
            found = await self._read(search) if fence is None else await self._create(search, fence)
            if found is not None:
                return found
            await self._adopt_failure(search)
            if time.monotonic() > search.end:
                raise LoginFailedError(_never_created(search.login), ErrorKind.TIMEOUT)
            await self.stop.race(asyncio.sleep(POLL_S))
        raise _interrupted(self.stop)

    async def _create(self, search: _Search, fence: int) -> LoginState | None:
        """Do the steps of the login and store its state; None where the lease was lost meanwhile."""
        login, digest = search.login, search.digest
        try:
            await self._adopt_failure(search)  # of a run that had the lease until now
            async with self._leased(digest, fence), self._session(None) as session:
                failed = await self._run(login.steps, session, login.timeout_ms)
                if failed is not None:
                    raise await self._failed(search, fence, failed)
                state = await session.state()
            sealed = self._sealed(digest, state)
            if await asyncio.to_thread(self._states.store, digest, fence, sealed, login.expires_ms):
                return LoginState(fence, state, utc_now(), self.plan.run_id)
            return None
        finally:
            await asyncio.to_thread(self._states.release, digest, fence)

    async def _failed(self, search: _Search, fence: int, step: StepResult) -> LoginFailedError:
        """Return the error of a login, which the runs that wait for it get too."""
        digest, name = search.digest, search.login.name
        text = f"the login {name!r} failed at its step {step.place}: {step.error}"
        error = LoginFailedError(text, step.kind or ErrorKind.ASSERTION)
        content = {"run": self.plan.run_id, "error": redact(text, self.plan.secrets), "kind": error.kind.value}
        await asyncio.to_thread(self._states.fail, digest, fence, self._key.seal(digest, content))
        return error

    async def _problem(self, login: LoginPlan, found: LoginState) -> StepResult | None:
        """Return the step by which a state proves invalid."""
        if not login.valid_if:
            return None
        async with self._session(found.state) as session:
            return await self._run(login.valid_if, session, login.timeout_ms)

    @asynccontextmanager
    async def _session(self, state: dict[str, Any] | None) -> AsyncIterator[BrowserSession]:
        options = replace(self.plan.session_options(1), trace=TraceContent.NONE, state=state)
        async with self.services.browser.session(options) as session:
            yield session

    async def _run(self, sections: Sequence[Section], session: BrowserSession, limit_ms: int) -> StepResult | None:
        """Run steps; return the one that failed, if any."""
        steps = UnrecordedSteps(plan=self.plan, session=session, stop=self.stop)
        failed = await steps.run(sections, self.plan.frame_of(self.number), limit_ms)
        if self.stop.reason is not None:
            raise _interrupted(self.stop)
        return failed

    @asynccontextmanager
    async def _leased(self, digest: str, fence: int) -> AsyncIterator[None]:
        """Renew a lease until the end; a run that dies loses it."""
        task = asyncio.create_task(self._renew(digest, fence))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _renew(self, digest: str, fence: int) -> None:
        while True:
            await asyncio.sleep(LEASE_MS / 1000 / 3)
            try:
                if not await asyncio.to_thread(self._states.renew, digest, fence):
                    return
            except InfrastructureError as error:
                _log.warning("Run %s could not keep its lease of a login: %s", self.plan.run_id, error)

    async def _failure(self, digest: str) -> bytes | None:
        return await asyncio.to_thread(self._states.failure, digest)

    async def _adopt_failure(self, search: _Search) -> None:
        """Fail where the login has failed in another run since this one began: its steps are not repeated at once.

        Raises:
            LoginFailedError: as in the other run.
        """
        sealed = await self._failure(search.digest)
        content = self._key.unseal(search.digest, sealed) if sealed and sealed != search.failure else None
        if content is not None:
            raise LoginFailedError(f"{content['error']} (in run {content['run']})", ErrorKind(content["kind"]))

    def _not_saved(self, login: LoginPlan) -> str:
        return (
            f"use.storage_state: no state {login.name!r} is saved for {self.plan.base_url} and this user: define "
            f"the login under 'logins' of the case, or run a case with `save_state: {login.name}` before"
        )


def _invalid(login: LoginPlan, problem: StepResult) -> LoginFailedError:
    text = (
        f"the login {login.name!r} was renewed, but its new state is not valid either: step {problem.place} "
        f"of 'valid_if': {problem.error}. Check that the login's last step waits for the user to be signed in, "
        "and 'valid_if'. A state has no session storage"
    )
    return LoginFailedError(text, problem.kind or ErrorKind.ASSERTION)


def _never_created(login: LoginPlan) -> str:
    return (
        f"other runs have not created the state of the login {login.name!r} for "
        f"{WAITS * login.timeout_ms // 1000} s: raise 'timeout' of the login if its steps need longer"
    )


def _interrupted(stop: StopSignal) -> LoginFailedError:
    assert stop.reason is not None
    return LoginFailedError("the run had to stop during its login", stop.reason)


def with_state(plan: RunPlan, login: LoginPlan, found: LoginState) -> RunPlan:
    """Return the plan of a run that begins with a state, whose values must not be seen from now on."""
    return replace(plan, secrets={**plan.secrets, **hidden_values(login, found.state)}, state=found.state)
