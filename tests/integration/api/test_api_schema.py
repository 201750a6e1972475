"""Every operation of the API's document, tried with what the document allows and with what it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from redis import Redis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from qa_queue.api.app import create_app
from qa_queue.api.routes import events
from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.services import Backend
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from tests.support.records import adaptation_row, artifact_record, case_record, finished_run, step_record
from tests.support.schedules import schedule_record
from tests.support.schema import try_operation

DOCUMENT = create_app(Backend(Settings(_env_file=None), MemoryStore())).openapi()
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
EXAMPLES = 8
# What a case must be, and which text is a cursor, no schema of the document can say: such requests are refused.
EXCLUDED = [positive_data_acceptance]


def takes_anything(operation: Any) -> bool:
    """Whether there is anything that could be wrong about a request."""
    return bool(list(operation.iter_parameters()) or operation.body)


TRIED = [(one, mode) for one in OPERATIONS for mode in GenerationMode if mode.is_positive or takes_anything(one)]


@pytest.fixture
def base_url(serve: Callable[..., str], store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """A service that has a case, a run and a schedule, for callers in a hurry, whose streams end at once."""
    monkeypatch.setattr(events, "LONGEST_S", 0)
    case = case_record()
    run = finished_run(case)
    store.schedules.add(schedule_record(cases=(case.id,), tag=None))
    store.save([case, run, step_record(run), artifact_record(run), adaptation_row(run)])
    return serve(qa_api_requests_per_minute=1_000_000, qa_api_checks_per_minute=1_000_000)


@pytest.mark.parametrize(
    ("operation", "mode"),
    TRIED,
    ids=lambda value: value.value if isinstance(value, GenerationMode) else value.label,
)
def test_no_operation_fails_or_answers_what_it_does_not_declare(
    operation: Any, mode: GenerationMode, base_url: str, redis_db: Redis
) -> None:
    """No 5xx, and no status, header or body that the document does not have."""
    token = TokenStore(redis_db).create("fuzz", Role.ADMIN)[1]
    try_operation(operation, mode, base_url, token, examples=EXAMPLES, excluded=EXCLUDED)
