"""Operations of an OpenAPI document, tried by what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode


def try_operation(
    operation: Any, mode: GenerationMode, url: str, token: str, *, examples: int, excluded: Sequence[Any] = ()
) -> None:
    """Send requests that the document allows, or does not; every answer must be as it declares."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: schemathesis.Case) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        case.call_and_validate(base_url=url, headers=headers, excluded_checks=list(excluded))

    attempt()
