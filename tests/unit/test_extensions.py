"""Queues that installed packages add, and what becomes of those that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from qa_queue.errors import InputError, UnknownQueueError
from qa_queue.extensions import ExtensionSpec, catalogue, known_queue, load_named, queue_names
from qa_queue.models import QueueName
from tests.support.packages import install, spec_module

OWN = tuple(queue.value for queue in QueueName)


class Parcel(BaseModel):
    """A payload."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for packages; what they add is known until the end of the test."""
    monkeypatch.syspath_prepend(tmp_path)
    catalogue.cache_clear()
    yield tmp_path
    catalogue.cache_clear()


def spec(**overrides: Any) -> ExtensionSpec:
    fields = {"name": "parcels", "function": "post.jobs.deliver", "payload": Parcel, "processor": "post.jobs:Post"}
    return ExtensionSpec(**fields | overrides)


def test_a_package_adds_a_queue(site: Path) -> None:
    """It stands behind the service's own, with its package's name."""
    install(site, "post-office", {"parcels": "post_parcels:QUEUE"}, post_parcels=spec_module("parcels", "post"))
    assert queue_names() == (*OWN, "parcels")
    assert known_queue("parcels") == "parcels"
    found = catalogue()
    assert found.packages == {"parcels": "post-office"}
    assert found.of_function("post.deliver") is found.queues["parcels"]
    assert found.of_function("processors.entry.learn") is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
        ("QUEUE = 1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("OTHER = 1", "has no attribute 'QUEUE'"),
        ("QUEUE = {'name': 'parcels'}", "is of type dict"),
        (spec_module("test-execution", "post"), "is that of qa-queue itself already"),
        (spec_module("Parcels!", "post"), "lower-case words"),
        (spec_module("parcels", "processors.entry").replace("deliver", "learn"), "is the function of the queue"),
        (spec_module("parcels", "post").replace("processor=", "router="), "names no processor"),
    ],
)
def test_a_broken_entry_point_is_reported_and_takes_nothing_down(
    site: Path, source: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By package and name, in the log and to callers of the queue; other packages' queues work."""
    install(site, "broken-post", {"bad": f"bad_{site.name}:QUEUE"}, **{f"bad_{site.name}": source})
    good = f"good_{site.name}"
    install(site, "good-post", {"letters": f"{good}:QUEUE"}, **{good: spec_module("letters", "good")})
    assert queue_names() == (*OWN, "letters")
    (broken,) = catalogue().broken
    assert (broken.package, broken.entry_point) == ("broken-post", "bad")
    assert problem in broken.problem
    assert str(broken) in caplog.text
    with pytest.raises(UnknownQueueError, match="'bad' of the package broken-post"):
        known_queue("parcels")


def test_of_two_with_one_name_the_first_package_counts(site: Path) -> None:
    """By the names of the packages, so that every process says the same."""
    for package in ("z-post", "a-post"):
        module = f"{package[0]}_{site.name}"
        install(site, package, {"parcels": f"{module}:QUEUE"}, **{module: spec_module("parcels", module)})
    assert catalogue().packages == {"parcels": "a-post"}
    assert "is that of a-post already" in catalogue().broken[0].problem


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "two words"}, "lower-case words"),
        ({"name": "x" * 51}, "at most 50"),
        ({"function": "deliver"}, "dotted path"),
        ({"payload": dict}, "pydantic model"),
        ({"processor": "post.jobs.Post"}, "package.module:name"),
        ({"router": "nowhere"}, "package.module:name"),
        ({"attempts": 0}, "1 to 25"),
        ({"backoff": 5}, "should be a Backoff"),
        ({"timeout_s": 10**6}, "1 to 86400"),
    ],
)
def test_a_queue_of_the_wrong_shape_is_refused(fields: dict[str, Any], problem: str) -> None:
    """With the value and what it should be."""
    with pytest.raises(InputError, match=problem):
        spec(**fields)


def test_every_mistake_of_a_queue_is_said_at_once() -> None:
    """Not one after the other."""
    with pytest.raises(InputError, match=r"dotted path.*1 to 25"):
        spec(function="x", attempts=99)


def test_what_is_named_is_loaded_or_reported() -> None:
    """With the kind of error that its module raises."""
    assert load_named("qa_queue.models:QueueName") is QueueName
    with pytest.raises(InputError, match=r"qa_queue.models:Nothing cannot be loaded \(AttributeError"):
        load_named("qa_queue.models:Nothing")
