"""What the doctor says of one part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qa_queue.errors import QAError

Status = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Diagnosis:
    """One part: `found` says what is there or what is wrong, `mend` is the one command, None where all is well."""

    part: str
    status: Status
    found: str
    mend: str | None = None


def diagnosis(part: str, look: Callable[[], str], mend: str, otherwise: Status = "missing") -> Diagnosis:
    """The part is ok with what `look` returns, or is `otherwise` with the error that it raises."""
    try:
        return Diagnosis(part, "ok", look())
    except QAError as error:
        return Diagnosis(part, otherwise, str(error), mend)
