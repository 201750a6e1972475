"""Renew the reference in docs/cases.md from the classes of the case language: python scripts/case_reference.py"""

from pathlib import Path

from qa_queue.cases.reference import with_reference

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cases.md"

if __name__ == "__main__":
    PAGE.write_text(
        with_reference(PAGE.read_text(encoding="utf-8"), ROOT / "examples" / "reference"), encoding="utf-8"
    )
