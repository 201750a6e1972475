"""The values of `${env.X}` that a case uses, and whether every reference in it stands for something."""

from __future__ import annotations

from collections.abc import Sequence

from qa_queue.cases.model import Case
from qa_queue.cases.values import check_references, references
from qa_queue.errors import CaseError, InputError
from qa_queue.producer.requests import RunRequest
from qa_queue.settings import read_variables
from qa_queue.store.rows import mend


def resolve_environments(requests: Sequence[RunRequest]) -> list[dict[str, str]]:
    """The environment of each request: the process's own values and, over them, those of the request.

    Only names that the case uses are in it.

    Raises:
        CaseError: references without a value, or to the service's own settings; has those of all requests.
    """
    environments: list[dict[str, str]] = []
    problems: list[str] = []
    used = {id(request.case): request.case for request in requests}
    names = {which: _variables(case) for which, case in used.items()}
    for request in requests:
        try:
            env = _environment(request, names[id(request.case)])
        except InputError as error:
            problems.append(f"{request.source or request.case.name}: {error}")
            continue
        problems += check_references(request.case, env.keys(), source=request.source or "")
        environments.append(env)
    if problems:
        unique = tuple(dict.fromkeys(problems))
        raise CaseError("\n".join(unique), unique)
    return environments


def _environment(request: RunRequest, names: frozenset[str]) -> dict[str, str]:
    given = {name: value for name, value in request.env.items() if name in names}
    own = read_variables(names)
    found = own | given if request.process_env else given
    return {name: str(mend(value)) for name, value in found.items()}


def _variables(case: Case) -> frozenset[str]:
    return frozenset(reference.name for reference in references(case) if reference.kind == "env")
