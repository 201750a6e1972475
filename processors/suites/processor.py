"""The processor of the `test-execution` queue: of cases with steps, and of those that run pytest tests."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from processors.execution.plan import RunPlan
from processors.execution.processor import TestExecutionProcessor
from processors.execution.reporting import RunReporter
from processors.execution.stopping import StopSignal
from processors.execution.tries import TryLoop
from processors.suites.tries import SuiteTries
from qa_queue.cases.model import Case, PytestTests
from qa_queue.cases.values import resolve
from qa_queue.errors import InputError
from qa_queue.models import TestJobData
from qa_queue.models.payloads import PytestSuite
from qa_queue.settings import child_environment, read_every_secret
from qa_queue.settings.chromium import find_browser
from qa_queue.suites.environment import host_environment

_SENSITIVE = re.compile(r"PASS|SECRET|TOKEN|API_?KEY|CREDENTIAL|AUTH", re.IGNORECASE)  # in a variable's name
_LEAST_SECRET = 4  # characters: a shorter value would mask ordinary text


class RunProcessor(TestExecutionProcessor):
    """Runs a case: its steps in a browser session of the worker, or its pytest tests in a host process."""

    __test__: ClassVar[bool] = False

    def _plan(self, case: Case, data: TestJobData) -> RunPlan:
        if case.pytest is None:
            return super()._plan(case, data)
        # The time of a suite's tests follows from their number, so a lower limit of the operator ends the run.
        most_ms = self.services.settings.qa_run_seconds * 1000
        plan = super()._plan(case.model_copy(update={"timeout_ms": min(case.timeout_ms, most_ms)}), data)
        given = {**_sensitive(_variables(plan, case.pytest)), **plan.secrets}
        # A text may hold any secret of the worker; a page, only those that the suite was given.
        return replace(plan, secrets={**read_every_secret(), **given}, shows_secrets=bool(given))

    def _tries(self, plan: RunPlan, reporter: RunReporter, stop: StopSignal) -> TryLoop:
        tests = plan.case.pytest
        if tests is None:
            return super()._tries(plan, reporter, stop)
        services = self.services
        if services.hosts is None:
            raise InputError("This worker's runtime has no processes for pytest suites.")
        return SuiteTries(
            plan,
            services,
            self.context,
            reporter,
            stop,
            hosts=services.hosts,
            tests=tests,
            suite=_suite(plan, tests),
            environment=host_environment(
                child_environment({}),
                _variables(plan, tests),
                services.settings.suite_variables,
                chromium=find_browser(services.settings),
            ),
        )


def _suite(plan: RunPlan, tests: PytestTests) -> PytestSuite:
    host = ("--base-url", plan.base_url) if plan.base_url else ()
    root = tests.root if tests.bundle else os.path.normpath(Path(plan.upload_root or ".", tests.root))
    return PytestSuite(
        root=root,
        python=tests.python,
        arguments=(*tests.arguments, *host),
        bundle=tests.bundle,
        requirements=tests.requirements,
    )


def _variables(plan: RunPlan, tests: PytestTests) -> dict[str, str]:
    return {name: resolve(text, plan.frame.scope) for name, text in tests.env.items()}


def _sensitive(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables whose names say that their values are secret."""
    return {
        name: value for name, value in variables.items() if _SENSITIVE.search(name) and len(value) >= _LEAST_SECRET
    }
