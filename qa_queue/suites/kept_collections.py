"""Collections that are kept: pytest collects a suite again only when something that it read has changed.

Collecting takes longer than one test: a Python, pytest, its plugins and the suite's modules have to be loaded. What
a collection has read is observed in its process (`suites/reads.py`); one that depends on more is never kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from qa_queue.models.payloads import PytestSuite
from qa_queue.suites.process import CollectedTest, Collection
from qa_queue.suites.reads import state_of, unchanged

FOR = timedelta(hours=1)  # so that tests that depend on the time of day are collected again
_MOST = 50  # collections of one QA_HOME
_HOST = Path(__file__).with_name("host.py")


class KeptCollections:
    """The collections of a folder, which is created when one is kept. Safe to use from several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, suite: PytestSuite, environment: Mapping[str, str], now: datetime) -> Collection | None:
        """Return the collection of this suite with these variables, as long as nothing that it read has changed."""
        try:
            found = json.loads(self._file(suite, environment).read_bytes())
            age = now - datetime.fromisoformat(found["collected_at"])
            if not timedelta() <= age < FOR or not unchanged(found["reads"]):
                return None
            tests = tuple(CollectedTest(**{**one, **_tuples(one)}) for one in found["tests"])
            return Collection(root=found["root"], tests=tests, errors={}, reads=found["reads"])
        except (OSError, ValueError, KeyError, TypeError):  # none, damaged, or of another version
            return None

    def keep(
        self, suite: PytestSuite, environment: Mapping[str, str], collection: Collection, now: datetime
    ) -> None:
        """Keep a collection that began at `now`, unless it depends on more than files."""
        if collection.reads is None:
            return
        file = self._file(suite, environment)
        draft = file.with_name(f".{uuid4()}")
        with suppress(OSError):  # a folder that cannot be written to only costs time
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_text(json.dumps({**asdict(collection), "collected_at": now.isoformat()}), encoding="utf-8")
            draft.replace(file)
            for old in sorted(self._folder.glob("*.json"), key=lambda one: -one.stat().st_mtime)[_MOST:]:
                old.unlink(missing_ok=True)

    def _file(self, suite: PytestSuite, environment: Mapping[str, str]) -> Path:
        """Return the file of a suite; its name tells nothing of the variables' values."""
        key = [suite.model_dump(mode="json"), sorted(environment.items()), state_of(str(_HOST)), os.getuid()]
        return self._folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()}.json"


def _tuples(test: Mapping[str, object]) -> dict[str, tuple[object, ...]]:
    return {name: tuple(value) for name, value in test.items() if isinstance(value, list)}
