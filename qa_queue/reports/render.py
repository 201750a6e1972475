"""Formats by name, for the command line, the API and the pytest plugin."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from qa_queue.reports.html import html_report
from qa_queue.reports.junit import junit_xml
from qa_queue.reports.model import Report
from qa_queue.reports.texts import brief, github_summary


class Format(StrEnum):
    """Formats of a report. Each is one text but Allure's, which is a folder: see `allure.write_allure`."""

    HTML = "html"
    JUNIT = "junit"
    JSON = "json"
    BRIEF = "brief"
    GITHUB = "github"
    ALLURE = "allure"


CONTENT_TYPES = {
    Format.HTML: "text/html; charset=utf-8",
    Format.JUNIT: "application/xml",
    Format.JSON: "application/json",
    Format.BRIEF: "text/plain; charset=utf-8",
    Format.GITHUB: "text/markdown; charset=utf-8",
    Format.ALLURE: "application/zip",
}


def json_report(report: Report) -> str:
    """Return the read model as JSON; `report_schema` describes it."""
    return report.model_dump_json(indent=2) + "\n"


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of `json_report`."""
    return json.loads(json.dumps(Report.model_json_schema(mode="serialization")))  # type: ignore[no-any-return]


_RENDERERS: dict[Format, Callable[[Report], str]] = {
    Format.HTML: html_report,
    Format.JUNIT: junit_xml,
    Format.JSON: json_report,
    Format.BRIEF: brief,
    Format.GITHUB: github_summary,
}


def render(report: Report, format_: Format) -> str:
    """Return the report in a format that is a text."""
    return _RENDERERS[format_](report)
