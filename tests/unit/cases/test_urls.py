"""URLs that a case may open."""

from __future__ import annotations

import pytest

from qa_queue.cases.actions import Goto
from qa_queue.cases.model import Case, Step
from qa_queue.cases.reader import parse_case
from qa_queue.cases.urls import scheme_problem, web_url
from qa_queue.errors import CaseError, InputError


@pytest.mark.parametrize(
    ("url", "base_url", "whole"),
    [
        ("/a", "http://h/b/c", "http://h/a"),
        ("a", "http://h/b/", "http://h/b/a"),
        ("//o/x", "https://h", "https://o/x"),
        ("?q=a:b", "http://h/p", "http://h/p?q=a:b"),
        ("/redirect?to=file:///etc", "http://h", "http://h/redirect?to=file:///etc"),
        (" http://o/\n", "http://h", "http://o/"),
        ("HTTPS://o/", None, "HTTPS://o/"),
        ("about:blank", "http://h", "about:blank"),
        ("http://[::1]:8080/", None, "http://[::1]:8080/"),
    ],
)
def test_pages_of_the_web_are_opened(url: str, base_url: str | None, whole: str) -> None:
    """Joined to the base URL as a link on a page there would be."""
    assert web_url(url, base_url) == whole


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("file:///etc/passwd", None),
        ("file:///etc/passwd", "http://h"),
        ("passwd", "file:///etc/"),
        ("\tfile:///etc/passwd", "http://h"),
        ("fi\rle:///etc/passwd", "http://h"),
        ("view-source:http://h/", "http://h"),
        ("about:version", None),
        ("about:blank#x", None),
        ("localhost:8080/x", None),
        ("/x", None),
        ("http:", None),
        ("http:///x", None),
        ("http://[", None),
        ("/x", "http://["),
    ],
)
def test_what_is_not_a_page_of_the_web_is_refused(url: str, base_url: str | None) -> None:
    """By a list of what is allowed, so that a scheme that was not foreseen is refused too."""
    with pytest.raises(InputError):
        web_url(url, base_url)


@pytest.mark.parametrize("url", ["${env.URL}", "${env.URL}/x", "/x?${var.Q}", "http${env.S}://h", "ht${env.S}"])
def test_what_a_reference_will_lead_to_is_not_judged_yet(url: str) -> None:
    """The worker judges it once the value is filled in."""
    assert scheme_problem(url) is None


def test_a_scheme_before_a_reference_is_judged() -> None:
    """Whatever the value will be."""
    assert "'file:', which a case may not open" in (scheme_problem("file://${env.X}") or "")
    assert scheme_problem("about:blank${env.X}") is not None


def test_a_document_with_a_local_scheme_is_refused_with_its_path() -> None:
    """Each URL separately, for a case as for a suite's base URL."""
    document = {
        "name": "x",
        "base_url": "file:///",
        "steps": [{"goto": "/a"}, {"goto": {"url": "chrome://version"}}],
    }
    with pytest.raises(CaseError) as refused:
        parse_case(document, source="case.yaml")
    assert [problem.split(": ")[1] for problem in refused.value.problems] == ["base_url", "steps[1].goto.url"]


def test_the_model_refuses_it_alone() -> None:
    """So that no importer can build such a case."""
    with pytest.raises(ValueError, match="which a case may not open"):
        Goto(url="file:///etc/passwd")
    with pytest.raises(ValueError, match="which a case may not open"):
        Case.model_validate({"name": "x", "base_url": "file:///", "steps": [Step(args=Goto(url="/"))]})
