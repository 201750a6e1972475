"""Reject phrases and retired names that make messages, docs and docstrings hard to read: `make check` runs it.

Docstrings are imperative or noun phrases, so one that begins with What, Whether or How is rejected too, except in
tests, whose docstrings are whole sentences. A line that needs such a word has `prose: allow` behind it.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ALLOW = "prose: allow"
SUFFIXES = {".py", ".md", ".html", ".js", ".sql", ".sh", ".toml", ".yaml", ".yml"}
EXEMPT = {"CHANGELOG.md", "scripts/check_prose.py", "tests/unit/test_prose.py"}

_OPENING = re.compile(r"(What|Whether|How|Who|Whoever|Which|Where|When|That|Why)\b")

# phrase -> what to write instead
PHRASES = {
    r"(?<!there )\bis no (?!longer\b|more\b)": "is not a",
    r"(?<!there )\bare no (?!longer\b|more\b)": "are not",
    r"(?-i:\bis none\b)": "is missing, or: does not exist",
    r"\bwaits again\b": "is requeued",
    r"\bmend(s|ed|ing)?\b": "fix, or: run `...`",
    r"\bsays that it lives\b": "sends a heartbeat",
    r"\b(it|they|who|that) lives?\b": "runs, or: sends heartbeats",
    r"\bthe living\b": "running workers",
    r"\brooms?\b": "package",
    r'\bnews\b(?!")': "events",  # not as the text of an element
    r"\bRQ's books\b": "RQ's registries",
    r"\bkeeps? (RQ's )?books\b": "updates RQ's registries",
    r"\bwhoever\b": "name the subject",
    r"\b(is|are|was|were|be|been|gets?) told\b": "is notified, or: receives",
    r"\bis told of\b": "is notified of",
    r"\bput(s|ting)? back\b": "requeue, or: release",
    r"\bcasebook\b": "stored cases",
    r"\bjanitors?\b": "stalled job recovery",
    r"\bbehind (a run's|the run's) back\b": "in the background",
    r"\bfinds? out\b": "determine, or: detect",
    r"\bfor ever\b": "forever",
    r"\blooks? after\b": "maintains",
    r"\bsteer(s|ing)?\b": "control",
    r"\bso many\b": "a number of",
    r"\bnobody\b": "no one, or: name the subject",
    r"\breckon(s|ed|ing)?\b": "compute",
    r"\bnews of\b": "events of",
    r"\btakes? away\b": "remove",
    r"\bis away\b": "is unavailable",
    r"\bare away\b": "are unavailable",
    r"\b(while|when|if|where|as long as) (Redis|Supabase|the database|the store) (is|was) away\b": "is unavailable",
    r"\bby itself\b": "automatically, or: alone",
    r"\bheard of\b": "known",
    r"\ba sign of life\b": "a health check",
    r"\bdeput(y|ies)\b": "(removed)",
}

_PHRASES = [(re.compile(pattern, re.IGNORECASE), better) for pattern, better in PHRASES.items()]


def findings(path: str, text: str) -> Iterator[str]:
    """Yield `path:line: message` for each rejected phrase or docstring of a file."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if ALLOW in line:
            continue
        for pattern, better in _PHRASES:
            if found := pattern.search(line):
                yield f"{path}:{number}: '{found.group(0).strip()}': write '{better}'"
    if path.endswith(".py"):
        yield from _docstrings(path, text, lines)


def _docstrings(path: str, text: str, lines: list[str]) -> Iterator[str]:
    if path.startswith("tests/"):
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        found = _OPENING.match(ast.get_docstring(node) or "")
        if found and ALLOW not in lines[(number := node.body[0].lineno) - 1]:
            yield f"{path}:{number}: docstring begins with '{found.group(0)}': write 'Return ...' or a noun"


def main() -> int:
    """Check the files of the repository, or those under the given paths; exit with 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*")
    listed = subprocess.run(
        ["git", "ls-files", *parser.parse_args().paths], capture_output=True, text=True, check=True
    ).stdout.split()
    found = [
        finding
        for path in listed
        if Path(path).suffix in SUFFIXES and path not in EXEMPT and Path(path).is_file()
        for finding in findings(path, Path(path).read_text(encoding="utf-8"))
    ]
    sys.stdout.write("".join(f"{finding}\n" for finding in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
