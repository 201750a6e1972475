"""Reading what `qa-queue run` was asked for."""

from pathlib import Path

import pytest

from qa_queue.cli.cases import RunCommandOptions, load_requests
from qa_queue.cli.options import parse_env, parse_priority
from qa_queue.errors import CaseError, InputError
from qa_queue.models import Priority

GOOD = "version: 1\nname: Good\nsteps:\n- goto: /\n"


def test_env_pairs_keep_everything_after_the_first_equals_sign() -> None:
    assert parse_env(["A=1", "URL=http://x/?q=1", "EMPTY="]) == {"A": "1", "URL": "http://x/?q=1", "EMPTY": ""}


@pytest.mark.parametrize("pair", ["A", "=1", ""])
def test_an_env_pair_without_a_name_is_refused(pair: str) -> None:
    with pytest.raises(InputError, match="NAME=VALUE"):
        parse_env([pair])


def test_priorities_are_read_in_any_case_and_unknown_ones_are_refused_with_the_known() -> None:
    assert parse_priority("High") is Priority.HIGH
    with pytest.raises(InputError, match="'hi' is not known: choose one of urgent, high, normal, low"):
        parse_priority("hi")


def test_problems_of_all_files_are_reported_together_and_no_request_is_made(tmp_path: Path) -> None:
    files = [tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "missing.yaml"]
    files[0].write_text(GOOD)
    files[1].write_text("version: 1\nname: Bad\nsteps:\n- clik: '#go'\n")
    with pytest.raises(CaseError) as caught:
        load_requests(files, RunCommandOptions())
    text = "\n".join(caught.value.problems)
    assert "bad.yaml:4" in text
    assert "did you mean 'click'?" in text
    assert "missing.yaml" in text


def test_a_request_carries_its_file_and_the_base_url(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (request,) = load_requests([tmp_path / "good.yaml"], RunCommandOptions(base_url="http://127.0.0.1:1"))
    assert request.source == (tmp_path / "good.yaml").as_posix()
    assert request.base_url == "http://127.0.0.1:1"
    assert request.case.name == "Good"
