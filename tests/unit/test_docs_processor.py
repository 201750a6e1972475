"""The how-to on queues and processors does what it says."""

import re
import sys
import tomllib
import types
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from processors.runtime import Runtime
from qa_queue.errors import InfrastructureError, InputError
from qa_queue.extensions.catalogue import GROUP, read_catalogue
from qa_queue.models import JobContext

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to-processor.md"
CONTEXT = JobContext(job_id="1", queue="greetings")


def block(language: str, first_line: str) -> str:
    found = re.search(rf"```{language}\n({re.escape(first_line)}\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def example() -> Any:
    module = types.ModuleType("greetings")
    sys.modules[module.__name__] = module
    exec(compile(block("python", "# greetings.py"), str(PAGE), "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


async def test_the_example_processor_greets(example: Any) -> None:
    processor = example.GreetingProcessor(None, CONTEXT)
    assert await processor.run({"name": "Ann"}) == {"text": "Hello Ann"}


async def test_the_example_processor_tells_retryable_from_wrong(example: Any) -> None:
    processor = example.GreetingProcessor(None, CONTEXT)
    with pytest.raises(InfrastructureError):
        await processor.run({"name": ""})
    with pytest.raises(InputError, match="nom"):
        await processor.run({"nom": "Ann"})


def test_the_example_entry_point_adds_the_queue(example: Any) -> None:
    points = tomllib.loads(block("toml", "# pyproject.toml"))["project"]["entry-points"]
    found = read_catalogue(EntryPoint(name, value, GROUP) for name, value in points[GROUP].items())
    assert found.broken == ()
    assert found.of_function("greetings.greet") is example.QUEUE


def test_the_example_submission_names_things_that_are_there() -> None:
    source = block("python", "# greet_ann.py")
    imports = "\n".join(line for line in source.splitlines() if line.startswith("from "))
    scope: dict[str, Any] = {}
    exec(imports, scope)
    request = scope["JobRequest"](data={"name": "Ann"}, idempotency_key="hello-ann", delay_ms=5000)
    assert request.delay_ms == 5000


def test_the_example_runtime_adds_to_the_processors(example: Any) -> None:
    assert example.LouderRuntime.processors.keys() - Runtime.processors.keys() == {"greetings.greet"}
