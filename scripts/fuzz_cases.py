"""Damage case files at random and read them: each gives a case or a clear error, within a second of CPU time.

    python scripts/fuzz_cases.py --seed 7 --seconds 600

A failure prints the seed of its input, which `--only` repeats, and keeps the input in the folder for `--keep`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import yaml

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.flows import MAX_DEPTH
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_file, parse_case
from qa_queue.cases.values import check_references
from qa_queue.errors import CaseError

ROOT = Path(__file__).resolve().parents[1]
MAX_CPU_S = 1.0
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 7.5, 10**400, float("nan"), "", "x", "\x00", "\ud800", "${", "${var.x}", "${env.X:-}",
    "${random.int:9:1}", "$${x}", "/(/", "/(?P<a>x)/", "a" * 3000, "1280x720", "99999999999h", "0s", "\u2028", [],
    {}, [[]], [None], [{}], {"": ""}, {"x": {"x": {"x": {}}}}, {"target": {}}, {"not": {}}, {"all": []}, {1: 2},
)  # fmt: skip
SYNTAX = "{}[]:,-#&*!|>'\"%@`\n\t ax1~é\u2028?=<\\/$"


class FaultError(Exception):
    """An input on which the reader did not do what it should; `text` is the input."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(what)
        self.text = text


def documents() -> list[Any]:
    """Return every case, suite, flow and recording of the examples and tests as a document."""
    files = sorted(file for folder in ("examples", "tests") for file in (ROOT / folder).rglob("*.*"))
    found = [_document(file) for file in files if file.suffix in (".yaml", ".yml", ".json")]
    return [one for one in found if isinstance(one, dict) and one.keys() & {"steps", "cases", "flow"}]


def _document(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
        return json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return None


def damaged(chance: Random, known: list[Any]) -> tuple[str, str]:
    """Return the text of a damaged document, and the suffix of its file."""
    document = deepcopy(chance.choice(known))
    for _ in range(chance.randint(0, 4)):
        document = _changed(chance, document, known)
    suffix = chance.choice((".yaml", ".json"))
    text = _written(document, suffix)
    for _ in range(chance.choice((0, 0, 0, 1, 2, 5))):
        start = chance.randint(0, len(text))
        inserted = "".join(chance.choices(SYNTAX, k=chance.randint(0, 4)))
        text = text[:start] + inserted + text[start + chance.randint(0, 8) :]
    return (text[: chance.randint(0, len(text))] if chance.random() < 0.05 else text), suffix


def _written(document: Any, suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(document, default=str)
    try:
        return str(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
    except yaml.YAMLError:
        return json.dumps(document, default=str)


def _changed(chance: Random, document: Any, known: list[Any]) -> Any:
    """Return a document with one value replaced, removed, repeated, wrapped, renamed or taken from another one."""
    places = list(_places(document))
    path = chance.choice(places)
    if not path:
        return chance.choice((document, document, document, *STRANGE))
    holder = _at(document, path[:-1])
    _CHANGES[chance.choice(list(_CHANGES))](chance, holder, path[-1], known)
    return document


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _places(item, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _replace(chance: Random, holder: Any, key: Any, _known: list[Any]) -> None:
    holder[key] = deepcopy(chance.choice(STRANGE))


def _remove(_chance: Random, holder: Any, key: Any, _known: list[Any]) -> None:
    del holder[key]


def _repeat(chance: Random, holder: Any, key: Any, _known: list[Any]) -> None:
    if isinstance(holder, list):
        holder[key:key] = [deepcopy(holder[key]) for _ in range(chance.choice((1, 2, 40)))]
    else:
        holder[f"{key}x"] = deepcopy(holder[key])


def _wrap(chance: Random, holder: Any, key: Any, _known: list[Any]) -> None:
    for _ in range(chance.choice((1, 2, MAX_DEPTH, 70))):
        holder[key] = (
            [holder[key]] if chance.random() < 0.5 else {chance.choice(("not", "within", "x")): holder[key]}
        )


def _rename(chance: Random, holder: Any, key: Any, _known: list[Any]) -> None:
    if isinstance(holder, dict):
        letters = list(str(key))
        chance.shuffle(letters)
        holder["".join(letters)] = holder.pop(key)


def _borrow(chance: Random, holder: Any, key: Any, known: list[Any]) -> None:
    other = chance.choice(known)
    holder[key] = deepcopy(_at(other, chance.choice(list(_places(other)))))


_CHANGES: dict[str, Callable[[Random, Any, Any, list[Any]], None]] = {
    "replace": _replace,
    "remove": _remove,
    "repeat": _repeat,
    "wrap": _wrap,
    "rename": _rename,
    "borrow": _borrow,
}


def examine(seed: str, known: list[Any], folder: Path, cpu_s: float = MAX_CPU_S) -> bool:
    """Read the damaged document of a seed; return True if it gave cases.

    Raises:
        FaultError: it took too long, left something behind, raised anything but a `CaseError`, or does not survive
            being written and read again.
    """
    text, suffix = damaged(Random(seed), known)
    path = folder / f"case{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    before = time.process_time()
    try:
        cases = load_file(path).cases
        for case in cases:
            check_references(case, ())
            _survives(case)
    except CaseError as error:
        cases = ()
        if not error.problems or not all(problem.startswith(str(path)) for problem in error.problems):
            raise FaultError(f"an error without its file: {error}", text) from None
    except FaultError as fault:
        raise FaultError(str(fault), text) from None
    except Exception:  # noqa: BLE001 - every other one is what the run looks for
        raise FaultError(traceback.format_exc(limit=-6), text) from None
    spent = time.process_time() - before
    if spent > cpu_s:
        raise FaultError(f"took {spent:.1f} s of CPU time", text)
    if left := [file.name for file in folder.iterdir() if file != path]:
        raise FaultError(f"left {left} behind", text)
    return bool(cases)


def _survives(case: Case) -> None:
    try:
        again = parse_case(json.loads(json.dumps(case_document(case))), source="again")
    except CaseError as error:
        raise FaultError(f"its own document is refused: {error}", "") from None
    if again != case:
        raise FaultError("its document reads as another case", "")


def main() -> int:
    """Fuzz for the given time; return 1 if any input had a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1", help="of the whole run")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", help="the seed of one input, to repeat it")
    parser.add_argument("--keep", type=Path, help="folder for inputs with faults")
    options = parser.parse_args()
    seeds = iter([options.only]) if options.only else _seeds(options.seed, options.seconds)
    known, count, read, faults = documents(), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            count += 1
            try:
                read += examine(seed, known, Path(folder))
            except FaultError as fault:
                faults += 1
                print(f"{seed}: {fault}\n", flush=True)
                _keep(options.keep, seed, fault.text)
            for file in Path(folder).iterdir():
                file.unlink()
    print(f"{count} inputs, of which {read} gave cases; {faults} faults")
    return 1 if faults else 0


def _seeds(seed: str, seconds: float) -> Iterator[str]:
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        yield f"{seed}-{number}"


def _keep(folder: Path | None, seed: str, text: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / seed).write_bytes(text.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    sys.exit(main())
