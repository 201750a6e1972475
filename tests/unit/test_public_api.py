"""The public API: its names, the cost of importing it, and an example that needs nothing else."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import processors
import qa_queue
from qa_queue import errors

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "settlement"
HEAVY = ("pydantic", "redis", "rq", "supabase", "fastapi", "playwright", "qa_queue.models", "processors.base")


def product_imports(path: Path) -> Iterator[tuple[str, str]]:
    """The names that a module imports from the product, each with the module it comes from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in ("qa_queue", "processors"):
            yield from ((str(node.module), alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.partition(".")[0] == "qa_queue")


@pytest.mark.parametrize("module", [qa_queue, processors])
def test_every_public_name_can_be_imported(module: ModuleType) -> None:
    """`__all__` is sorted and complete, and `dir` lists it."""
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []
    assert dir(module) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("module", [qa_queue, processors])
def test_type_checkers_see_the_same_names(module: ModuleType) -> None:
    """The imports for type checkers, in the source, are those of `__all__`."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert declared | {"__version__"} == {*module.__all__, "__version__"}


def test_every_error_is_public() -> None:
    """Callers catch them."""
    raised = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert raised <= set(qa_queue.__all__)


@pytest.mark.parametrize("module", [qa_queue, processors])
def test_an_unknown_name_is_an_attribute_error(module: ModuleType) -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = module.no_such_name


def test_importing_the_product_imports_no_library() -> None:
    """Names are imported when they are first used."""
    source = f"import sys, qa_queue, processors; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_names_of_earlier_versions_still_work() -> None:
    """Packages may import them from their modules."""
    from qa_queue.extensions import ExtensionSpec, QueueSpec  # noqa: PLC0415 - this import is the test

    assert QueueSpec is ExtensionSpec is qa_queue.ExtensionSpec


def test_the_example_imports_public_names_only() -> None:
    """A package needs nothing but `qa_queue` and `processors`."""
    modules = sorted((EXAMPLE / "src").rglob("*.py"))
    assert len(modules) > 5
    found = {one for path in modules for one in product_imports(path)}
    assert {module for module, _ in found} == {"qa_queue", "processors"}
    public = {("qa_queue", name) for name in qa_queue.__all__} | {("processors", n) for n in processors.__all__}
    assert found - public == set()
