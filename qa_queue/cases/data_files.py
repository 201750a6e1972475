"""Files beside a case: rows of data (CSV with a header, JSON or YAML), and the baselines of screenshots."""

from __future__ import annotations

import csv
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qa_queue.cases.document_path import case_error
from qa_queue.cases.model import Case
from qa_queue.errors import CaseError
from qa_queue.errors.validation import Problem

MAX_BYTES = 1_000_000
MAX_BASELINES = 8_000_000  # characters of base64 that travel with a case
_SUFFIXES = (".csv", ".json", ".yaml", ".yml")


def real_path(file: Path) -> Path:
    """Return a path that a case gives with symbolic links followed, whether a file is there or not.

    Raises:
        ValueError: no file can have this path, or this process may not look there.
    """
    try:
        real = file.resolve()
        real.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # too long, a circle of links, a null byte
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ValueError(f"{file.name[:80]!r} is not a file that can be read: {why}") from None
    return real


def is_open_to_cases(real: Path, root: Path) -> bool:
    """Return whether cases may read a file: it is inside this folder, and no part of its path there is hidden.

    Hidden files are refused wherever they are: the folder may hold the service's own `.env` and `.qa`.
    """
    return real.is_relative_to(root) and not any(part.startswith(".") for part in real.relative_to(root).parts)


def check_data_file(folder: Path, name: str) -> Path:
    """Return the file with the rows of a case in this folder.

    Raises:
        ValueError: it is not in the folder, is hidden, is of another kind, or does not exist.
    """
    own = folder.resolve()
    file = real_path(own / name)
    if file.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{name!r} holds no rows: give a .csv, .json or .yaml file, or the rows themselves")
    if not is_open_to_cases(file, own):
        raise ValueError(f"{name!r} is not read: only files in the folder of the case that are not hidden")
    if not file.is_file():
        raise ValueError(f"{name!r} does not exist (looked for at {file})")
    return file


def csv_rows(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by the names in its first line; every value is text.

    Raises:
        CaseError: the file cannot be read, or a line does not fit the first one; has every such line.
    """
    lines = iter(_lines(file))
    header = next(lines, (1, []))[1]
    names = [name.strip() for name in header]
    if fault := _fault_of_names(names):
        raise case_error([Problem((), fault, 1, str(file))])
    rows, problems = [], []
    for line, values in lines:
        if len(values) == len(names):
            rows.append(dict(zip(names, values, strict=True)))
        elif values:
            text = f"has {len(values)} values for the {len(names)} columns {', '.join(names)}"
            problems.append(Problem((), f"{text}{_last_column(names, values)}", line, str(file)))
    if problems:
        raise case_error(problems)
    return rows


def _last_column(names: list[str], values: list[str]) -> str:
    if len(values) < len(names):
        return f": {names[len(values)]!r} is missing"
    return f": column {len(names) + 1}, {values[len(names)][:40]!r}, has no name"


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the values of each record with its line."""
    text = _text(file)
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise case_error([Problem((), f"not CSV: {error}", start, str(file))]) from None
        if values is None:
            return
        yield start, values


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _broken(file, f"is larger than {MAX_BYTES // 1_000_000} MB")
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _broken(file, f"is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except OSError as error:
        raise _broken(file, f"cannot be read: {error.strerror or error}") from None


def _fault_of_names(names: list[str]) -> str | None:
    if not any(names):
        return "is empty: the first line names the columns"
    if "" in names:
        return f"column {names.index('') + 1} has no name: the first line names the columns"
    twice = next((name for name in names if names.count(name) > 1), None)
    return None if twice is None else f"two columns are called {twice!r}"


def _broken(file: Path, text: str) -> CaseError:
    return case_error([Problem((), text, None, str(file))])


def row_name(row: dict[str, Any]) -> str:
    """Return the name of a row: its value of `name`, else its first values."""
    if isinstance(name := row.get("name"), str) and name.strip():
        return " ".join(name.split())[:60]
    words = ", ".join(f"{key}={value}" for key, value in row.items())
    return words if len(words) <= 60 else f"{words[:59]}…"


def baselines_folder(path: Path) -> Path:
    """Return the folder of the baselines of a case file's screenshots."""
    return path.with_name(f"{path.name}-screenshots")


def with_baselines(case: Case, path: Path) -> Case:
    """Return the case of a file with the baselines of its screenshots, those of every browser and platform.

    Raises:
        CaseError: they cannot be read, or are too large to travel with the case.
    """
    folder, names = baselines_folder(path), case.screenshot_names
    found: dict[str, str] = {}
    try:
        for file in sorted(folder.glob("*.png")) if names else ():
            if file.stem.rsplit("-", 2)[0] in names:
                found[file.name] = b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise CaseError(f"{folder}: cannot be read: {error.strerror}") from None
    if sum(map(len, found.values())) > MAX_BASELINES:
        raise CaseError(f"{folder}: the baselines of {case.name!r} have more than {MAX_BASELINES // 1_000_000} MB")
    return case.model_copy(update={"baselines": found}) if found else case
