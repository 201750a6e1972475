"""How a report stands in the stream and in the job's meta."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from qa_queue.models import JobProgress, RunStatus, StepData, StepStatus
from qa_queue.progress.events import decode, encode, meta_document, run_of, stream_key
from tests.support.queueing import report

texts = st.text(max_size=50)
steps = st.builds(
    StepData, action=texts, status=st.sampled_from(StepStatus), duration=st.integers(0, 9), error=texts
)
reports = st.builds(
    report, texts, st.integers(0, 4), message=texts, status=st.sampled_from(RunStatus), step_data=st.none() | steps
)


@given(reports)
def test_a_report_comes_out_of_the_stream_as_it_went_in(progress: JobProgress) -> None:
    assert decode({b"event": encode(progress).encode()}) == progress


@given(reports)
def test_nothing_in_the_meta_is_markup(progress: JobProgress) -> None:
    """rq-dashboard puts the meta into its page unescaped, and messages can hold the site's own text."""
    assert not set(json.dumps(meta_document(progress))) & set("<>")


def test_the_meta_shows_the_site_s_text_readably_once_a_browser_has_decoded_it() -> None:
    shown = meta_document(report("r", message='expected "<b>"'))
    assert shown["message"] == "expected &quot;&lt;b&gt;&quot;"
    assert shown["step"] == "1/4"


def test_a_stream_s_name_tells_its_run() -> None:
    assert run_of(stream_key("a-run").encode()) == "a-run"
