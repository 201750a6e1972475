"""What doctor says of installed packages that add queues."""

from __future__ import annotations

from qa_queue.errors import InputError
from qa_queue.extensions import QueueSpec, catalogue, load_named
from qa_queue.local.diagnosis import Diagnosis
from qa_queue.local.migrations import lacks_migrations, missing_migrations

PART = "package"


def check_packages() -> list[Diagnosis]:
    """A finding for each package that adds a queue or fails to; what its queue names is loaded as workers would."""
    found = catalogue()
    added = [_added(spec, found.packages[spec.name]) for spec in found.added]
    broken = [Diagnosis(PART, "broken", str(one), _mend(one.package)) for one in found.broken]
    return added + broken


def _added(spec: QueueSpec, package: str) -> Diagnosis:
    if lacks_migrations(spec):
        return Diagnosis(PART, "broken", f"{package}: {missing_migrations(spec)}", _mend(package))
    try:
        for named in (spec.processor, spec.router):
            if named is not None:
                load_named(named)
    except InputError as error:
        return Diagnosis(PART, "broken", f"{package} adds the queue {spec.name}, but {error}", _mend(package))
    return Diagnosis(PART, "ok", f"{package} adds the queue {spec.name}")


def _mend(package: str) -> str:
    return f"mend or upgrade the package, or: pip uninstall {package}"
