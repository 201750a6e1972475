"""A stored case whose second step was healed in a run: what people then judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.reader import load_cases
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import AdaptationRow, CaseRecord, case_id, digest
from tests.support.records import adaptation_row, finished_run

FILE = """name: Order
steps:
- goto: /  # the shop
- click: {target: {css: "#buy"}}
"""
EVIDENCE = {
    "summary": "found, 97 % likely",
    "properties": [
        {"name": "wording", "before": '"Buy"', "after": '"Buy"', "points": 3.2, "most": 3.2, "verdict": "for"}
    ],
}


def store_healed(store: RunStore, folder: Path, name: str = "Order") -> AdaptationRow:
    """Write `order.yaml`, store its case, and a run of it with the heal of its click."""
    path = folder / "order.yaml"
    path.write_text(FILE.replace("Order", name), encoding="utf-8")
    (case,) = load_cases(path)
    document: dict[str, Any] = case_document(case)
    record = CaseRecord(
        id=case_id(case.key),
        key=case.key,
        name=case.name,
        source="order.yaml",
        definition=document,
        content_hash=digest(document),
    )
    stored = store.save_cases([record])[0]
    run = finished_run(stored)
    row = adaptation_row(
        run,
        2,
        step_key="2:click",
        reason="healed",
        old_target={"css": "#buy"},
        new_target={"role": "button", "name": "Buy"},
        score=0.97,
        margin=0.9,
        evidence=EVIDENCE,
    )
    store.save([run, row])
    return row
