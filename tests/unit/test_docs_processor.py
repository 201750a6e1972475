"""The how-to on processors does what it says."""

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from qa_queue.errors import InfrastructureError, InputError
from qa_queue.models import JobContext

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to-processor.md"
CONTEXT = JobContext(job_id="1", queue="cleanup")


@pytest.fixture
def example() -> Any:
    source = re.search(r"```python\n(# my_processors\.py\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert source is not None
    module = types.ModuleType("my_processors")
    sys.modules[module.__name__] = module
    exec(compile(source[1], str(PAGE), "exec"), module.__dict__)
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


def test_the_example_runtime_adds_to_the_processors(example: Any) -> None:
    assert "my_processors.greet" in example.MyRuntime.processors
    assert "processors.entry.execute_run" in example.MyRuntime.processors
