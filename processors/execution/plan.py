"""The plan of a run, made before a browser is touched. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from processors.browser.egress.policy import Layer
from processors.browser.environment import origin_of
from processors.browser.protocol import SessionOptions
from processors.browser.trace_context import trace_id_of
from processors.execution.evidence import EvidencePlan
from processors.execution.interpreter import StepLimits
from processors.execution.login_plan import LoginPlan, LoginPlanner
from processors.execution.refusals import refuse_guesses, refuse_own_answers, refuse_scripts
from processors.execution.step_tree import Frame, PlannedStep, Section, outline, sections_of
from qa_queue.cases.environment import HttpCredentials, Use
from qa_queue.cases.generated import Seed
from qa_queue.cases.hosts import ANY_HOST, HostList
from qa_queue.cases.model import Case, read_document
from qa_queue.cases.references import Reference, pieces
from qa_queue.cases.texts import map_texts
from qa_queue.cases.urls import web_url
from qa_queue.cases.values import (
    PENDING,
    Filling,
    Scope,
    Variables,
    assigned_names,
    references,
    resolve,
    resolve_step,
    scope_for,
)
from qa_queue.errors import InputError
from qa_queue.models import ArtifactKind, FailureLimit, TestConfig, TestJobData, Viewport
from qa_queue.settings import Secret

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # ids become names of folders


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """A case with its values and settings.

    `sections` are run within `frame_of(attempt)`; in `frame`, variables that steps save are pending. `steps` are
    those known beforehand, in order; `total` is the number of rows of a try, None where that depends on what
    happens in it. `secrets` are the values that must not leave the worker, by name.
    `use` has its values filled in. The browser begins with the `state` of the `login`, once the run has it. A plan
    that `defers` has one try; the next one follows at the end of the queue.
    """

    run_id: str
    case_id: str
    case: Case
    sections: tuple[Section, ...]
    frame: Frame = field(repr=False)
    steps: tuple[PlannedStep, ...]
    total: int | None
    config: TestConfig
    base_url: str | None
    use: Use = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    secret_hosts: Mapping[str, HostList] = field(default_factory=dict)
    ignored_attributes: tuple[str, ...] = ()
    upload_root: Path | None = None
    network: tuple[Layer, ...] = ()
    values: RunValues = field(repr=False)
    logins: LoginPlanner = field(repr=False)
    login: LoginPlan | None = None
    state: Mapping[str, Any] | None = field(default=None, repr=False)
    source: str | None = None  # the file of the case
    defers: bool = False
    limits: StepLimits = field(default_factory=StepLimits)
    failure_limit: FailureLimit | None = None
    shows_secrets: bool | None = None  # whether a page may; None if any of `secrets` may be on it

    def frame_of(self, attempt: int) -> Frame:
        """Return the frame of a try: with variables of its own and generated values."""
        return Frame(scope=self.values.scope(self.case, attempt), resolve=resolve_step, source=self.source)

    @property
    def tries(self) -> int:
        """The maximum number of tries of the test."""
        return self.case.retries + 1

    @property
    def timeout_ms(self) -> int:
        """The time limit of the run, all tries together."""
        return self.config.timeout or self.case.timeout_ms

    @property
    def unreadable(self) -> Mapping[str, str]:
        """The secrets that no step may read back; none in a run of the operator's own, by `qa-queue run FILE`."""
        return {} if self.logins.trusted else self.secrets

    @property
    def evidence(self) -> EvidencePlan:
        """The rules for recording and keeping evidence."""
        shown = bool(self.secrets) if self.shows_secrets is None else self.shows_secrets
        return EvidencePlan.of(self.case, self.config, secrets=shown)

    @property
    def keeps_pictures(self) -> bool:
        """True unless the case says that nothing may show a page."""
        return self.case.secrets != "no-pictures"

    def attempt_number(self, job_attempt: int, test_try: int) -> int:
        """Return the number under which a try's rows are stored; every number counts from 1."""
        return job_attempt if self.defers else (job_attempt - 1) * self.tries + test_try

    def session_options(self, test_try: int, recordings: Path | None = None) -> SessionOptions:
        """Return the options of the browser context of a try; videos and HAR go into the folder `recordings`."""
        evidence = self.evidence
        return SessionOptions(
            base_url=self.base_url,
            viewport=self.config.viewport or self._own_viewport(),
            use=self.use,
            headless=self.config.headless,
            trace=evidence.trace_content(test_try),
            recordings=recordings,
            records_video=evidence.records(ArtifactKind.VIDEO, test_try),
            records_har=evidence.records(ArtifactKind.HAR, test_try),
            secrets=tuple(self.secrets.values()),
            ignored_attributes=self.ignored_attributes,
            upload_root=self.upload_root,
            secret_hosts=self.secret_hosts,
            dialogs=self.case.dialogs,
            baselines=self.case.baseline_pictures,
            update_screenshots=self.config.update_screenshots,
            state=self.state,
            network=self.network,
            trace_id=self.trace_id,
            records_traffic=any(step.records_traffic for _, step in self.case.steps_by_path()),
        )

    @property
    def trace_id(self) -> str | None:
        """The trace that requests to the site carry; None where the case has none."""
        traced = self.use.network is not None and self.use.network.trace and self.base_url is not None
        return trace_id_of(self.run_id) if traced else None

    def _own_viewport(self) -> Viewport | None:
        """Return the viewport of the case; a device keeps its own unless the case sets one."""
        use = self.case.use
        return None if use.device and "viewport" not in use.model_fields_set else use.viewport


@dataclass(frozen=True, kw_only=True)
class RunValues:
    """The values of a run: of its environment, its secrets and its row of data, and the seed of generated ones."""

    run_id: str
    env: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    data: Mapping[str, Any]
    seed: Seed

    def scope(self, case: Case, attempt: int) -> Scope:
        """Return the scope of a try.

        Raises:
            CaseError: a variable of the case refers to a value that does not exist.
        """
        return scope_for(
            case,
            self.env,
            self.secrets,
            data=self.data,
            run={"id": self.run_id, "attempt": attempt},
            generator=self.seed.generator(attempt),
        )


def secret_names(case: Case) -> frozenset[str]:
    """Return the names of the secrets that a case uses."""
    return frozenset(reference.name for reference in references(case) if reference.kind == "secret")


def hosts_of(secrets: Mapping[str, Secret], *, trusted: bool) -> dict[str, HostList]:
    """Return the hosts on which each secret may be used; without named hosts a trusted run may use it anywhere.

    Raises:
        InputError: a secret has no hosts and the run is not trusted, or its list of hosts cannot be read.
    """
    found: dict[str, HostList] = {}
    for name, secret in secrets.items():
        if secret.hosts is None and not trusted:
            raise InputError(
                f"the secret {name} has no hosts: set QA_SECRET_{name}_HOSTS for the workers to the hosts on which "
                "it may be used. Without them, only `qa-queue run FILE` may use the secret."
            )
        try:
            found[name] = ANY_HOST if secret.hosts is None else HostList.parse(secret.hosts)
        except ValueError as error:
            raise InputError(f"QA_SECRET_{name}_HOSTS: {error}") from None
    return found


def _pending(case: Case) -> Variables:
    """Return the variables that steps of the case save, with values that only the run knows."""
    return Variables(dict.fromkeys(assigned_names(case), PENDING))


def _check_id(run_id: str) -> None:
    if not _ID.fullmatch(run_id):
        raise InputError(f"test_run_id {run_id!r} is not an id: use letters, digits, _ and - only, as in a UUID.")


def plan_run(
    case: Case,
    data: TestJobData,
    secrets: Mapping[str, Secret],
    ignored_attributes: tuple[str, ...] = (),
    *,
    seed: Seed = Seed(),  # noqa: B008 - frozen
    evaluates: bool = True,
) -> RunPlan:
    """Plan a run: fill in the values of the case.

    Raises:
        InputError: a value is missing, an id cannot name a folder, the base URL is not a page of the web, or a
            secret may not be used by this run.
    """
    _check_id(data.test_run_id)
    if secrets and not data.trusted:
        refuse_own_answers(case)
        refuse_guesses(case)
    if not evaluates:
        refuse_scripts(case)
    values = {name: secret.value for name, secret in secrets.items()}
    row = (data.data_row or {}).get("values", {})
    own = RunValues(run_id=data.test_run_id, env=data.env, secrets=values, data=row, seed=seed)
    scope = own.scope(case, 1)
    base_url = resolve(data.base_url or case.base_url or "", scope)
    sections = sections_of(case)
    frame = Frame(scope=scope, resolve=resolve_step, variables=_pending(case), preview=True, source=data.source)
    hosts, site = hosts_of(secrets, trusted=data.trusted), web_url(base_url) if base_url else None
    use = _use(case.use, scope, site, hosts)
    logins = LoginPlanner(
        case=case, scope=scope, use=use, base_url=site, user=data.user_id, trusted=data.trusted, source=data.source
    )
    return RunPlan(
        run_id=data.test_run_id,
        case_id=data.test_case_id,
        case=case,
        sections=sections,
        frame=frame,
        steps=outline(sections, frame),
        total=case.known_total,
        config=data.config,
        base_url=site,
        use=use,
        network=_network_of(use, data.allowed_hosts),
        secrets={name: value for name, value in values.items() if value.strip()},
        secret_hosts=hosts,
        ignored_attributes=ignored_attributes,
        upload_root=Path(data.case_dir) if data.case_dir else None,
        values=own,
        logins=logins,
        login=logins.wanted(),
        source=data.source,
        failure_limit=data.failure_limit,
    )


def _network_of(use: Use, allowed_hosts: Sequence[str]) -> tuple[Layer, ...]:
    """Return the lists of hosts of a run's token and case.

    Raises:
        InputError: a list cannot be read.
    """
    layers = []
    try:
        if allowed_hosts:
            allow = HostList.of(allowed_hosts, networks=True)
            layers.append(Layer(rule="token", allow_name="the token that submitted the run", allow=allow))
        if use.network is not None and (use.network.allow or use.network.deny):
            allow, deny = (HostList.of(one, networks=True) for one in (use.network.allow, use.network.deny))
            names = {"allow_name": "use.network of the case", "deny_name": "use.network.deny of the case"}
            layers.append(Layer(rule="case", allow=allow if use.network.allow else None, deny=deny, **names))
    except ValueError as error:
        raise InputError(f"the hosts of the run cannot be read: {error}") from None
    return tuple(layers)


def _use(use: Use, scope: Scope, base_url: str | None, hosts: Mapping[str, HostList]) -> Use:
    """Return the setup of the browser with its values filled in.

    Raises:
        InputError: a value is missing or not allowed, or a site may not receive a secret of the credentials.
    """
    login = use.http_credentials
    filled = map_texts(use, Filling(scope))
    if login is not None and filled.http_credentials is not None:
        site = origin_of(filled.http_credentials, base_url)
        refused = [name for name in sorted(_secrets_of(login)) if name in hosts and not hosts[name].match_url(site)]
        if refused:
            raise InputError(
                f"use.http_credentials: the secret {refused[0]} may not be used at {site}: "
                f"QA_SECRET_{refused[0]}_HOSTS of the worker does not name this host"
            )
    if filled == use:
        return use
    given = filled.model_dump(include=use.model_fields_set, by_alias=True, exclude_none=True)
    checked, problems = read_document(Use, given, at=("use",))
    if problems:
        raise InputError("; ".join(map(str, problems)))
    return cast(Use, checked)


def _secrets_of(login: HttpCredentials) -> set[str]:
    found = [piece for text in (login.username, login.password) for piece in pieces(text)]
    return {piece.name for piece in found if isinstance(piece, Reference) and piece.kind == "secret"}
