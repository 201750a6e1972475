"""The diagnoses of `qa-queue doctor` of packages that add queues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_queue.extensions import catalogue
from qa_queue.local.doctor import check_packages
from tests.support.packages import install, spec_module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    catalogue.cache_clear()
    yield tmp_path
    catalogue.cache_clear()


def test_a_package_whose_parts_can_be_loaded_is_ok(site: Path) -> None:
    """The diagnosis names the package and its queue."""
    source = spec_module("parcels", "well", "doctor_well:Parcel")
    install(site, "post-office", {"parcels": "doctor_well:QUEUE"}, doctor_well=source)
    (finding,) = check_packages()
    assert (finding.status, finding.found) == ("ok", "post-office adds the queue parcels")


def test_a_package_whose_processor_or_entry_point_is_broken_is_reported_with_a_fix(site: Path) -> None:
    """Each diagnosis names its package."""
    install(
        site, "a-post", {"letters": "doctor_a:QUEUE"}, doctor_a=spec_module("letters", "a", "no_module:Nothing")
    )
    install(site, "b-post", {"cards": "doctor_b:QUEUE"}, doctor_b="1 / 0")
    unloadable, broken = check_packages()
    assert (unloadable.status, broken.status) == ("broken", "broken")
    assert "no_module:Nothing cannot be loaded" in unloadable.found
    assert "ZeroDivisionError" in broken.found
    assert broken.fix == "fix or upgrade the package, or: pip uninstall b-post"


def test_without_packages_there_is_no_diagnosis(site: Path) -> None:
    """The service's own queues do not belong to a package."""
    assert check_packages() == []
