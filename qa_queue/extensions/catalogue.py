"""The queues that exist. A broken entry point is reported with its package and name, and the others work."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from qa_queue.errors import InputError, UnknownQueueError
from qa_queue.errors.validation import nearest
from qa_queue.extensions.spec import ExtensionSpec
from qa_queue.models import CleanupJobData, LearningJobData, QueueName, TestJobData

log = logging.getLogger(__name__)

GROUP = "qa_queue.queues"
BUILT_IN = tuple(
    ExtensionSpec(name=name.value, function=function, payload=payload)
    for name, function, payload in (
        (QueueName.TEST_EXECUTION, "processors.entry.execute_run", TestJobData),
        (QueueName.CLEANUP, "processors.entry.clean_up", CleanupJobData),
        (QueueName.ADAPTATION_LEARNING, "processors.entry.learn", LearningJobData),
    )
)


@dataclass(frozen=True, kw_only=True)
class BrokenExtension:
    """An entry point that adds no queue, and why."""

    package: str
    entry_point: str
    problem: str

    def __str__(self) -> str:
        return f"The entry point {self.entry_point!r} of the package {self.package} adds no queue: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Every queue by name, the service's own first; the package of each that was added; what is broken."""

    queues: Mapping[str, ExtensionSpec]
    packages: Mapping[str, str]
    broken: tuple[BrokenExtension, ...]

    @property
    def added(self) -> tuple[ExtensionSpec, ...]:
        """The queues of installed packages."""
        return tuple(self.queues[name] for name in self.packages)

    def of_function(self, function: str) -> ExtensionSpec | None:
        """The queue of an installed package whose jobs call this function."""
        return next((spec for spec in self.added if spec.function == function), None)


@cache
def catalogue() -> Catalogue:
    """The queues of this process, looked up once; every broken entry point is logged."""
    found = read_catalogue(entry_points(group=GROUP))
    for broken in found.broken:
        log.warning("%s", broken)
    return found


def read_catalogue(points: Iterable[EntryPoint]) -> Catalogue:
    """The queues of the service and of these entry points. Of two with one name or function the first counts, in
    the order of their packages' names, so that every process of an installation says the same."""
    queues = {spec.name: spec for spec in BUILT_IN}
    owners = {spec.name: "qa-queue itself" for spec in BUILT_IN}
    broken: list[BrokenExtension] = []
    for point in sorted(points, key=lambda one: (_package(one), one.name)):
        package = _package(point)
        try:
            spec = _spec_of(point)
            _refuse_clash(spec, queues, owners)
        except InputError as error:
            broken.append(BrokenExtension(package=package, entry_point=point.name, problem=str(error)))
            continue
        queues[spec.name], owners[spec.name] = spec, package
    packages = {name: owner for name, owner in owners.items() if name not in list(QueueName)}
    return Catalogue(queues=queues, packages=packages, broken=tuple(broken))


def queue_names() -> tuple[str, ...]:
    """The names of all queues, the service's own first."""
    return tuple(catalogue().queues)


def known_queue(name: str) -> str:
    """The name, if there is such a queue.

    Raises:
        UnknownQueueError: lists the known queues and the nearest name, and what is broken.
    """
    known = queue_names()
    if name in known:
        return str(name)
    near = nearest(name, known)
    hint = f"Did you mean {near}? " if near else ""
    broken = "".join(f" {one}" for one in catalogue().broken)
    raise UnknownQueueError(f"No queue is called {name!r}. {hint}There are {', '.join(known)}.{broken}")


def _spec_of(point: EntryPoint) -> ExtensionSpec:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # another package's code runs here, and may raise whatever it likes
        raise InputError(f"{point.value} cannot be loaded ({type(error).__name__}: {error}).") from error
    if not isinstance(found, ExtensionSpec):
        raise InputError(f"{point.value} is of type {type(found).__name__}: it should be a qa_queue ExtensionSpec.")
    if found.processor is None:
        raise InputError(f"{point.value} names no processor: give processor='package.module:Class'.")
    return found


def _refuse_clash(spec: ExtensionSpec, queues: Mapping[str, ExtensionSpec], owners: Mapping[str, str]) -> None:
    if spec.name in queues:
        raise InputError(f"the queue {spec.name!r} is that of {owners[spec.name]} already: give it another name.")
    for other in queues.values():
        if other.function == spec.function:
            raise InputError(f"{spec.function} is the function of the queue {other.name!r} already: name another.")


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"
