"""What the exit code says."""

import pytest

from qa_queue.cli.exits import Exit, exit_for_error, exit_for_runs
from qa_queue.errors import (
    BrowserMissingError,
    CaseError,
    NotFoundError,
    QAError,
    RedisUnavailableError,
    RunCancelledError,
    RunTimedOutError,
    SettingsError,
    StoreSchemaError,
)
from qa_queue.models import RunStatus as S


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], Exit.OK),
        ([S.COMPLETED, S.ADAPTED], Exit.OK),
        ([S.COMPLETED, S.FAILED], Exit.FAILED),
        ([S.CANCELLED], Exit.FAILED),
        ([S.FAILED, S.TIMED_OUT], Exit.TIMED_OUT),
        ([S.COMPLETED, S.RUNNING], Exit.TIMED_OUT),
        ([S.QUEUED], Exit.TIMED_OUT),
        ([S.FAILED, S.TIMED_OUT, S.DEAD], Exit.INFRASTRUCTURE),
    ],
)
def test_the_gravest_end_of_all_runs_decides_the_exit_code(statuses: list[S], code: Exit) -> None:
    assert exit_for_runs(statuses) is code


def test_every_status_has_an_exit_code() -> None:
    for status in S:
        assert exit_for_runs([status]) in Exit


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CaseError("x"), 2),
        (SettingsError("x"), 2),
        (NotFoundError("x"), 2),
        (RedisUnavailableError("x"), 3),
        (StoreSchemaError("x"), 3),
        (BrowserMissingError("x"), 3),
        (RunTimedOutError("x"), 4),
        (RunCancelledError("x"), 1),
        (QAError("x"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: QAError, code: int) -> None:
    assert exit_for_error(error) == code
