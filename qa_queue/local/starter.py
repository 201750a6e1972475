"""`qa-queue init`: a starter in the working folder, which runs as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qa_queue.local.files import PROCFILE, write_private
from qa_queue.settings.reference import dotenv_example

CASE = """# yaml-language-server: $schema=../case.schema.json
version: 1
name: Search the shop
base_url: ${env.BASE_URL:-http://127.0.0.1:8080}
tags: [smoke]
steps:
- goto: /
- fill: {label: Search the shop, value: green tea}
- press: {label: Search the shop, key: Enter}
- expect: {target: {test_id: result-count}, text: 1 product}
- expect: {visible: {role: link, name: Sencha}}
"""
SHOP = """# The example shop at http://127.0.0.1:8080, which cases/first.yaml tests: remove it for your own site.
shop: qa-queue shop
"""
IGNORED = ".qa/\n.env\n"


def starter_files(schema: str) -> dict[Path, str]:
    """Return the files of the starter by path; `schema` is the JSON Schema of cases, for completion in editors."""
    return {
        Path("cases", "first.yaml"): CASE,
        Path("case.schema.json"): schema,
        Path("Procfile"): PROCFILE.read_text(encoding="utf-8") + SHOP,
        Path(".env"): dotenv_example(),
        Path(".gitignore"): IGNORED,
    }


def write_starter(folder: Path, schema: str) -> Iterator[tuple[Path, bool]]:
    """Write the files that `folder` lacks; yield each path and whether it was written. Existing files are kept."""
    for path, text in starter_files(schema).items():
        target = folder / path
        missing = not target.exists()
        if missing:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.name == ".env":  # it may hold keys later
                write_private(target, text)
            else:
                target.write_text(text, encoding="utf-8")
        yield path, missing
