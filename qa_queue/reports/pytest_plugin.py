"""`pytest --qa-report=report.html`: a report of a pytest session, with or without the queue.

The plugin is loaded by every pytest run of an environment that has qa-queue installed, so it imports nothing heavy
until a report is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qa_queue.reports.pytest_facts import HOST_PLUGIN, STEPS_PROPERTY, TAGS_PROPERTY, add_snapshot

if TYPE_CHECKING:
    from qa_queue.reports.pytest_report import SessionCollector

_ENDINGS = {".html": "html", ".xml": "junit", ".json": "json", ".md": "github", ".txt": "brief"}
_RECORDER = "qa-queue-steps"
_REPORTER = "qa-queue-report"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--qa-report` and `--qa-report-title`."""
    group = parser.getgroup("qa-queue", "reports of qa-queue")
    group.addoption(
        "--qa-report",
        action="append",
        default=[],
        metavar="FILE",
        help="Write a report of the session; its ending decides the format: "
        ".html, .xml (JUnit), .json, .md (GitHub summary) or .txt (brief). May be repeated.",
    )
    group.addoption("--qa-report-title", default=None, metavar="TITLE", help="Title of the report.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the parts that the options ask for; with xdist, the controller alone writes."""
    files = [Path(name) for name in config.getoption("qa_report")]
    if not files:
        return
    for file in files:
        if file.suffix.lower() not in _ENDINGS:
            known = ", ".join(_ENDINGS)
            raise pytest.UsageError(f"--qa-report={file}: the ending decides the format; use one of {known}")
    record_steps(config)
    if not hasattr(config, "workerinput"):
        title = config.getoption("qa_report_title") or config.rootpath.name
        config.pluginmanager.register(_ReportPlugin(config, files, title), _REPORTER)


def record_steps(config: pytest.Config) -> None:
    """Add a test's markers and the steps that it names to pytest's reports."""
    if not config.pluginmanager.hasplugin(_RECORDER):
        config.pluginmanager.register(_StepPlugin(), _RECORDER)


class _StepPlugin:
    """Adds a test's markers and the steps that it names to pytest's own reports, which xdist carries along."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        tags = [mark.name for mark in item.iter_markers() if mark.name != "parametrize"]
        item.user_properties.append((TAGS_PROPERTY, json.dumps(tags)))
        return (yield from self._phase(item, "1"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        return (yield from self._phase(item, "2"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        return (yield from self._phase(item, "3"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        if (
            call.when == "call"
            and call.excinfo is not None
            and not item.config.pluginmanager.hasplugin(HOST_PLUGIN)
        ):
            add_snapshot(item)
        return (yield)

    def _phase(self, item: pytest.Item, position: str) -> Generator[None, Any, Any]:
        from qa_queue.reports.steps import StepRecorder  # noqa: PLC0415 - only with a report

        with StepRecorder(position).active() as recorder:
            try:
                return (yield)
            finally:
                if recorder.steps:
                    item.user_properties.append((STEPS_PROPERTY, json.dumps(recorder.steps)))


class _ReportPlugin:
    """Collects the reports of the session and writes the files at its end."""

    def __init__(self, config: pytest.Config, files: list[Path], title: str) -> None:
        from qa_queue.reports.pytest_report import SessionCollector  # noqa: PLC0415 - only with a report

        self._collector: SessionCollector = SessionCollector(config.invocation_params.dir)
        self._files = [config.invocation_params.dir / file for file in files]
        self._title = title

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._collector.add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._collector.add_collection_error(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        from qa_queue.models import utc_now  # noqa: PLC0415 - only with a report
        from qa_queue.reports.render import Format, render  # noqa: PLC0415

        report = self._collector.report(self._title, utc_now())
        for file in self._files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(render(report, Format(_ENDINGS[file.suffix.lower()])), encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for file in self._files:
            terminalreporter.write_line(f"qa-queue report: {file}")
