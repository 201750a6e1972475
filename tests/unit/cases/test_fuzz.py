"""The fuzz run over the reader, short; `scripts/fuzz_cases.py --seconds 600` is the long one."""

from __future__ import annotations

from math import inf
from pathlib import Path

from scripts.fuzz_cases import documents, examine


def test_damaged_documents_give_a_case_or_a_clear_error(tmp_path: Path) -> None:
    """The seeds are fixed, so that a failure is repeated by `--only SEED`."""
    known = documents()
    read = 0
    for number in range(150):
        read += examine(f"test-{number}", known, tmp_path, cpu_s=inf)
        for file in tmp_path.iterdir():
            file.unlink()
    assert 10 < read < 140
