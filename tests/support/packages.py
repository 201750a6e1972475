"""Packages of third parties, installed as far as Python and its entry points are concerned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

SPEC = """
from pydantic import BaseModel
from qa_queue.extensions import ExtensionSpec

class Parcel(BaseModel):
    weight: int

QUEUE = ExtensionSpec(name="{queue}", function="{module}.deliver", payload=Parcel, processor="{processor}")
"""


def install(site: Path, package: str, points: Mapping[str, str], **modules: str) -> None:
    """Write a package's metadata with these entry points of `qa_queue.queues`, and these modules, into a folder."""
    info = site / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = (f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text("[qa_queue.queues]\n" + "".join(lines))
    for name, source in modules.items():
        (site / f"{name}.py").write_text(dedent(source))


def spec_module(queue: str, module: str, processor: str = "nowhere:Processor") -> str:
    """The source of a module that has a queue as `QUEUE`."""
    return SPEC.format(queue=queue, module=module, processor=processor)
