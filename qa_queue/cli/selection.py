"""The choice of cases and tests: files, folders, tests of pytest suites, names and tags of stored cases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from typer import Context
from typer.core import TyperCommand

from qa_queue.cases.keywords import keyword_match
from qa_queue.cli.cases import RunCommandOptions, load_requests
from qa_queue.cli.options import open_settings
from qa_queue.cli.render import Console
from qa_queue.errors import CaseError, InputError, NotFoundError
from qa_queue.models import RetryStrategy
from qa_queue.producer import RunRequest
from qa_queue.services import Backend
from qa_queue.suites.cases import Grouping
from qa_queue.suites.ordering import Shard, in_order

_CASES = (".yaml", ".yml", ".json")
_CASE_KEYS = frozenset({"steps", "cases", "suite", "pytest"})
_TESTS = ("test_*.py", "*_test.py")
_DOCTESTS = (".txt", ".rst")  # which pytest collects wherever they are named
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})
PYTEST_ARGUMENTS = "pytest_arguments"


class RunCommand(TyperCommand):
    """A command that keeps what follows `--` apart, for pytest."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words before `--`."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[PYTEST_ARGUMENTS] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Selection of what to run. `targets` are those of the user; without any, tags choose stored cases."""

    targets: tuple[str, ...]
    tags: tuple[str, ...] = ()
    keyword: str | None = None
    last_failed: bool = False
    shard: Shard | None = None
    grouping: Grouping = Grouping.AUTO
    python: str | None = None
    pytest_arguments: tuple[str, ...] = ()
    retries: int | None = None
    include: tuple[str, ...] = ()
    requirements: str | None = None
    retry_strategy: RetryStrategy | None = None


def select(
    selection: Selection, options: RunCommandOptions, backend: Callable[[], Backend], warn: Console | None
) -> list[RunRequest]:
    """Return what `choose` does, in the order in which to start the cases, of the shard and the last failures."""
    return _ordered(choose(selection, options, backend, warn), selection, backend)


def choose(
    selection: Selection, options: RunCommandOptions, backend: Callable[[], Backend], warn: Console | None
) -> list[RunRequest]:
    """Return a request for each case that is meant. Only stored cases need the service.

    Raises:
        CaseError: a file cannot be used; `problems` has those of all files.
        InputError: nothing is meant.
    """
    suites = tuple(one for one in selection.targets if is_suite(one, selection.pytest_arguments))
    stored = [one for one in selection.targets if one not in suites and _is_name(one)]
    files = [Path(one) for one in selection.targets if one not in suites and one not in stored]
    requests = load_requests(list(_files(files, options)), options, warn) if files else []
    requests = [request for request in requests if _is_meant(request, selection)]
    if suites:
        requests += _suite_requests(suites, selection, options)
    elif selection.pytest_arguments:
        raise InputError("What follows -- is for pytest: give a folder or file of tests before it.")
    if stored or not selection.targets:
        requests += _stored_requests(stored, selection, options, backend)
    if not requests:
        raise InputError("No case is selected: change the files, --tag or -k.")
    return [_with_retries(one, selection) for one in requests]


def is_suite(target: str, arguments: Sequence[str]) -> bool:
    """Return True for what pytest collects: test files, folders with some, and text files with doctests."""
    path = Path(target.partition("::")[0])
    if path.is_dir():
        return any(_walk(path, _TESTS))
    doctests = path.suffix in _DOCTESTS or any(one.startswith("--doctest-glob") for one in arguments)
    return path.suffix == ".py" or (doctests and path.suffix not in _CASES and path.is_file())


def _is_name(target: str) -> bool:
    """Tell whether a target is meant as the name of a stored case, not as a path."""
    return not Path(target).exists() and Path(target).suffix not in _CASES and os.sep not in target


def _walk(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        for path in sorted(folder.rglob(pattern)):
            parts = path.relative_to(folder).parts
            if not any(part in _SKIPPED or part.startswith(".") for part in parts):
                yield path


def _files(paths: Sequence[Path], options: RunCommandOptions) -> Iterator[Path]:
    """Yield the files; of a folder those that hold cases."""
    keys = _CASE_KEYS | {"flow"} if options.checks_only else _CASE_KEYS
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = [one for one in _walk(path, [f"*{suffix}" for suffix in _CASES]) if _holds_cases(one, keys)]
        if not found:
            raise InputError(f"{path} has neither case files nor pytest tests (test_*.py).")
        yield from found


def _holds_cases(path: Path, keys: frozenset[str]) -> bool:
    from qa_queue.cases.yaml_source import read_json, read_yaml

    reader = read_json if path.suffix == ".json" else read_yaml
    try:
        document, _, _ = reader(path.read_text(encoding="utf-8-sig"), str(path))
    except (CaseError, OSError, UnicodeDecodeError):
        return path.suffix != ".json"  # a broken YAML file is more likely a case than a JSON file is
    return isinstance(document, dict) and not keys.isdisjoint(document)


def _is_meant(request: RunRequest, selection: Selection) -> bool:
    words = (request.case.name, *request.case.tags)
    return _has_tags(request, selection) and (selection.keyword is None or keyword_match(selection.keyword)(words))


def _has_tags(request: RunRequest, selection: Selection) -> bool:
    return not selection.tags or not set(selection.tags).isdisjoint(request.case.tags)


def _suite_requests(
    paths: tuple[str, ...], selection: Selection, options: RunCommandOptions
) -> Iterator[RunRequest]:
    from qa_queue.services.suites import SuiteRequest, suite_cases

    wanted = SuiteRequest(
        paths=paths,
        python=selection.python,
        arguments=selection.pytest_arguments,
        keyword=selection.keyword,
        tags=selection.tags,
        env=options.env,
        grouping=selection.grouping,
        include=selection.include,
        requirements=selection.requirements,
    )
    for one in suite_cases(wanted, open_settings()):
        yield options.request(one.case, one.source)


def _stored_requests(
    names: Sequence[str], selection: Selection, options: RunCommandOptions, backend: Callable[[], Backend]
) -> list[RunRequest]:
    from qa_queue.services.cases import case_of, find_case

    if not names and not selection.tags and selection.keyword is None:
        raise InputError("No case is given: name files, folders or stored cases, or choose by --tag or -k.")
    service = backend()
    try:
        records = [find_case(service, name) for name in names] if names else service.store.list_cases()
    except NotFoundError as error:
        raise NotFoundError(f"{error} There is no such file either.") from None
    tagged = [one for one in records if not selection.tags or not set(selection.tags).isdisjoint(one.tags)]
    requests = [options.request(case_of(record), record.source) for record in tagged]
    return [request for request in requests if _is_meant(request, selection)]


def _with_retries(request: RunRequest, selection: Selection) -> RunRequest:
    given = {"retries": selection.retries, "retry_strategy": selection.retry_strategy}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(request, case=request.case.model_copy(update=changes)) if changes else request


def _ordered(requests: list[RunRequest], selection: Selection, backend: Callable[[], Backend]) -> list[RunRequest]:
    """Return the requests of the shard and of the last failures, longest first."""
    if len(requests) == 1 and selection.shard is None:
        return requests
    from qa_queue.services.cases import history_of, shard_of
    from qa_queue.store.records import case_id

    service = backend()
    ids = {request.case.key: case_id(request.case.key) for request in requests}
    history = history_of(service.store, set(ids.values()))
    if selection.last_failed and any(one.failed for one in history.values()):
        requests = [one for one in requests if (known := history.get(ids[one.case.key])) and known.failed]
    if selection.shard is not None:
        mine = shard_of(service.redis, {ids[one.case.key] for one in requests}, history, selection.shard)
        requests = [one for one in requests if ids[one.case.key] in mine]
    return in_order(requests, lambda one: ids[one.case.key], history)


def pytest_arguments(context: Context) -> tuple[str, ...]:
    """Return what followed `--` on the command line."""
    found: tuple[str, ...] = context.meta.get(PYTEST_ARGUMENTS, ())
    return found
