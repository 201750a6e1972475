"""Live bars of followed runs, on terminals of several widths."""

from __future__ import annotations

from io import StringIO

import pytest

from qa_queue.cli.follow import BarView
from qa_queue.cli.render import Console
from qa_queue.models import RunStatus
from tests.support.queueing import report


@pytest.mark.parametrize(("width", "visible"), [(80, False), (140, True)])
def test_the_last_step_is_shown_where_it_has_space(width: int, visible: bool) -> None:
    """Elsewhere nothing is left of it: an ellipsis after the time would only puzzle."""
    console = Console(file=StringIO(), force_terminal=True, width=width, color_system=None)
    view = BarView(console, {"r1": "Sign in"})

    view.show("r1", report("r1", status=RunStatus.FAILED, message="expected text 'a', found 'b' on a heading"))
    view.close()

    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "failed" in shown
    assert ("expected text 'a'" in shown) is visible
    assert "…" not in shown or visible
