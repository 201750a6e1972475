"""The ffmpeg of videos: Playwright's own, or a link to another one of the machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from qa_queue.settings.ffmpeg import provide_ffmpeg

BUNDLED = importlib.util.find_spec("imageio_ffmpeg") is not None


@pytest.fixture
def browsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Playwright's browsers without any, and a PATH without programs."""
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "browsers"


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(BUNDLED, reason="imageio-ffmpeg is installed")
def test_the_one_of_the_path_is_linked_to_where_playwright_looks(browsers: Path, tmp_path: Path) -> None:
    """Again and again; without another program it returns None."""
    assert provide_ffmpeg() is None
    assert not browsers.exists()
    other = program(tmp_path / "bin" / "ffmpeg")
    found = provide_ffmpeg()
    assert found is not None
    assert found == provide_ffmpeg()
    assert (found.resolve(), found.parents[1], found.parent.name[:7]) == (other, browsers, "ffmpeg-")


def test_the_own_one_stays(browsers: Path, tmp_path: Path) -> None:
    """Also where the PATH has another."""
    program(tmp_path / "bin" / "ffmpeg")
    linked = provide_ffmpeg()
    assert linked is not None
    linked.unlink()
    own = program(linked)
    assert provide_ffmpeg() == own
    assert not own.is_symlink()


@pytest.mark.skipif(BUNDLED, reason="imageio-ffmpeg is installed")
def test_a_folder_that_cannot_be_written_to_is_left_to_playwright(browsers: Path, tmp_path: Path) -> None:
    """Whose own message names the program that is missing."""
    program(tmp_path / "bin" / "ffmpeg")
    browsers.write_text("a file")
    found = provide_ffmpeg()
    assert found is not None
    assert not found.exists()
