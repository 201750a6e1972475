"""pytest suites as requests for runs: collect them in their own environment, and make a case of each group."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qa_queue.cases.model import Case
from qa_queue.errors import CaseError, InputError
from qa_queue.models import utc_now
from qa_queue.models.payloads import PytestSuite
from qa_queue.settings import Settings, child_environment
from qa_queue.settings.chromium import find_browser
from qa_queue.store.artifacts.opening import open_artifact_store
from qa_queue.suites.cases import Grouping, SuiteOptions, case_of_tests, grouped
from qa_queue.suites.environment import host_environment
from qa_queue.suites.kept_collections import KeptCollections
from qa_queue.suites.process import CollectedTest, Collection, HostProcess

if TYPE_CHECKING:
    from qa_queue.suites.bundle import Bundle

_CONTINUE = "--continue-on-collection-errors"


@dataclass(frozen=True, kw_only=True)
class SuiteRequest:
    """Tests of a suite to run: `paths` as pytest takes them, relative to the current folder.

    With `tags`, those with one of these markers.
    """

    paths: tuple[str, ...]
    python: str | None = None
    arguments: tuple[str, ...] = ()
    keyword: str | None = None
    tags: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    grouping: Grouping = Grouping.AUTO
    retries: int = 0
    include: tuple[str, ...] = ()
    requirements: str | None = None


@dataclass(frozen=True)
class SuiteCase:
    """A case of a suite, and the file of its tests, relative to the current folder."""

    case: Case
    source: str


def suite_cases(request: SuiteRequest, settings: Settings) -> list[SuiteCase]:
    """Return the cases of the tests that pytest collects, in its order.

    Raises:
        CaseError: a file cannot be collected; each is named, with pytest's message.
        InputError: the suite cannot be started, or a path does not exist.
    """
    root, python = str(Path.cwd()), _interpreter(request.python)
    suite = PytestSuite(root=root, python=python, arguments=_collecting(request))
    environment = host_environment(
        child_environment({}), request.env, settings.suite_variables, chromium=find_browser(settings)
    )
    collection = _collected(suite, environment, KeptCollections(settings.qa_home / "collections"))
    tests = [one for one in collection.tests if not request.tags or not set(request.tags).isdisjoint(one.markers)]
    if collection.errors:
        tests += _broken(collection)
    bundle = _stored_bundle(request, settings)
    options = SuiteOptions(
        root=bundle.root if bundle else root,
        bundle=bundle.sha256 if bundle else None,
        requirements=request.requirements,
        node_root=collection.root,
        python=python,
        arguments=(*request.arguments, *_folders(request.paths)),
        env=request.env,
        retries=request.retries,
        grouping=request.grouping,
    )
    return [
        SuiteCase(case_of_tests(group, options), os.path.relpath(Path(collection.root, group[0].file)))
        for group in grouped(tests, request.grouping)
    ]


def _stored_bundle(request: SuiteRequest, settings: Settings) -> Bundle | None:
    """Put the suite's files into the artifact store; None where files stay on the machine.

    Raises:
        InputError: an option needs the artifact store, which is not set up, or the files cannot be packed.
        ArtifactStoreError: the store cannot be used.
    """
    store = open_artifact_store(settings)
    if store is None:
        if request.include or request.requirements:
            raise InputError("--include and --requirements are for suites that travel: set QA_ARTIFACTS.")
        return None
    from qa_queue.suites.bundle import pack, store_bundle

    try:
        bundle = pack(Path.cwd(), request.include)
        store_bundle(bundle, store, utc_now())
    finally:
        store.close()
    return bundle


def _collected(suite: PytestSuite, environment: Mapping[str, str], kept: KeptCollections) -> Collection:
    now = utc_now()
    found = kept.find(suite, environment, now)
    if found is None:
        found = asyncio.run(_collect(suite, environment))
        kept.keep(suite, environment, found, now)
    return found


async def _collect(suite: PytestSuite, environment: Mapping[str, str]) -> Collection:
    process = await HostProcess.start(suite, environment, collect_only=True)
    try:
        return await process.collected()
    finally:
        await process.kill()


def _collecting(request: SuiteRequest) -> tuple[str, ...]:
    keyword = ("-k", request.keyword) if request.keyword else ()
    return (*request.arguments, *keyword, *request.paths)


def _folders(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the folders of the paths, where pytest finds its settings; so every selection shares its processes."""
    folders = (Path(path.partition("::")[0]) for path in paths)
    return tuple(dict.fromkeys(str(one if one.is_dir() else one.parent) for one in folders))


def _broken(collection: Collection) -> list[CollectedTest]:
    """Return the files that cannot be collected as tests that will fail, where pytest has to continue.

    Raises:
        CaseError: it was not.
    """
    if not collection.continues:
        problems = [f"{file or 'the suite'}: {message}" for file, message in collection.errors.items()]
        problems.append(f"pytest cannot collect these. Run the others with `-- {_CONTINUE}`.")
        raise CaseError("\n".join(problems), tuple(problems))
    return [
        CollectedTest(id=file, file=file, line=1, name=file, class_id=None, markers=(), group=None, shared=())
        for file in collection.errors
    ]


def _interpreter(python: str | None) -> str | None:
    """Return the whole path of an interpreter: of a file, a virtual environment, or a program on the PATH.

    Raises:
        InputError: it does not exist.
    """
    if python is None:
        return None
    path = Path(python)
    if path.is_dir():
        path = path / "bin" / "python"
    found = str(path) if path.is_file() else shutil.which(python)
    if found is None:
        raise InputError(f"--python {python!r} is not an interpreter: give its path, or a virtual environment.")
    return os.path.abspath(found)  # noqa: PTH100 - a link into a virtual environment must stay
