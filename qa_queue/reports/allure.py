"""Allure results: a folder of JSON files that Allure's own command renders. Needs `qa-queue[allure]`."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from qa_queue.errors import SettingsError
from qa_queue.models.outcomes import Outcome
from qa_queue.reports.model import Report, Test, TestAttempt

_STATUS = {
    Outcome.PASSED: "passed",
    Outcome.ADAPTED: "passed",
    Outcome.FLAKY: "passed",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "failed",
    Outcome.ERROR: "broken",
}


def write_allure(report: Report, folder: Path) -> int:
    """Write the results of a report into a folder and return the number of result files.

    Each attempt is a result of its own with the same history id, so that Allure shows retries.

    Raises:
        SettingsError: the package is installed without its `allure` extra.
    """
    try:
        from allure_commons.logger import AllureFileLogger  # noqa: PLC0415 - an optional extra
        from allure_commons.model2 import TestResult  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(f"Allure results need {error.name}: pip install 'qa-queue[allure]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    logger = AllureFileLogger(str(folder))  # type: ignore[no-untyped-call]
    written = 0
    for test in report.tests:
        start = _ms(test.started_at)
        for attempt in test.attempts or (_no_attempt(test),):
            result = _filled(TestResult(uuid=str(uuid4())), test, attempt, start, folder)
            logger.report_result(result)  # type: ignore[no-untyped-call]
            start = result.stop + 1  # the attempt that starts last is the test's result
            written += 1
    return written


def allure_archive(report: Report) -> bytes:
    """Return the results of a report as a zip file.

    Raises:
        SettingsError: the package is installed without its `allure` extra.
    """
    target = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="qa-allure-") as folder, zipfile.ZipFile(target, "w") as archive:
        write_allure(report, Path(folder))
        for file in sorted(Path(folder).iterdir()):
            archive.write(file, file.name, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _no_attempt(test: Test) -> TestAttempt:
    return TestAttempt(number=1, outcome=test.outcome, duration_ms=test.duration_ms)


def _filled(result: Any, test: Test, attempt: TestAttempt, start: int, folder: Path) -> Any:
    from allure_commons.model2 import Label, StatusDetails  # noqa: PLC0415

    result.name = test.name
    result.fullName = f"{test.suite}: {test.name}" if test.suite else test.name
    result.historyId = hashlib.sha256(result.fullName.encode()).hexdigest()
    result.status = _STATUS.get(attempt.outcome, "skipped")
    result.start, result.stop = start, start + attempt.duration_ms
    failed = next((step for step in attempt.steps if step.outcome.bad), None)
    message = failed.error if failed else (test.error if attempt.outcome.bad else None)
    result.statusDetails = StatusDetails(
        message=message, trace="\n".join(attempt.sections.values()) or None, flaky=test.outcome is Outcome.FLAKY
    )
    result.description = "\n\n".join(f"note: {note}" for note in test.notes) or None
    result.labels = [
        Label(name="framework", value="qa-queue"),
        Label(name="suite", value=test.suite or "qa-queue"),
        *(Label(name="tag", value=tag) for tag in test.tags),
        *([Label(name="host", value=test.worker)] if test.worker else []),
    ]
    result.steps = _steps(attempt, start)
    result.attachments = _attachments(attempt, folder)
    return result


def _steps(attempt: TestAttempt, start: int) -> list[Any]:
    from allure_commons.model2 import StatusDetails, TestStepResult  # noqa: PLC0415

    found: list[Any] = []
    for step in attempt.steps:
        end = start + step.duration_ms
        details = StatusDetails(message=step.error, trace=step.source) if step.error else None
        status = _STATUS.get(step.outcome, "skipped")
        name = f"{step.position}. {step.name}"
        found.append(TestStepResult(name=name, status=status, statusDetails=details, start=start, stop=end))
        start = end
    return found


def _attachments(attempt: TestAttempt, folder: Path) -> list[Any]:
    from allure_commons.model2 import Attachment  # noqa: PLC0415

    found: list[Any] = []
    for file in attempt.evidence:
        if file.path is not None:
            name = f"{uuid4()}-attachment{Path(file.name).suffix}"
            shutil.copyfile(file.path, folder / name)
            found.append(Attachment(name=file.name, source=name, type=file.content_type))
    return found


def _ms(at: datetime | None) -> int:
    return round(at.timestamp() * 1000) if at else 0
