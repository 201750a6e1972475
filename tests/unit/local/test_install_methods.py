"""The commands that install a part, by machine."""

from __future__ import annotations

from qa_queue.local import install_methods
from qa_queue.local.install_methods import InstallMethod, Machine
from qa_queue.local.lite import npm_command

DEBIAN_ROOT = Machine(apt=True, brew=False, root=())
DEBIAN_USER = Machine(apt=True, brew=False, root=("sudo",))
DEBIAN_GUEST = Machine(apt=True, brew=False, root=None)
MAC = Machine(apt=False, brew=True, root=("sudo",))


def lines(found: tuple[InstallMethod, ...]) -> list[list[str]]:
    """The commands of each method as a person would type them."""
    return [[" ".join(command) for command in method.commands] for method in found]


def test_debian_installs_at_first_without_an_update() -> None:
    """An update takes long and is often unnecessary."""
    install = "apt-get install -y --no-install-recommends redis-server"
    assert lines(install_methods.redis(DEBIAN_ROOT)) == [[install], ["apt-get update", install]]


def test_a_user_needs_sudo_and_without_it_gets_the_command() -> None:
    """No command is tried that cannot work."""
    assert lines(install_methods.redis(DEBIAN_USER))[0][0].startswith("sudo apt-get install")
    assert install_methods.redis(DEBIAN_GUEST) == ()
    assert install_methods.redis_fix(DEBIAN_GUEST) == "sudo apt-get install -y redis-server"


def test_a_mac_uses_homebrew() -> None:
    """Homebrew does not need root."""
    assert lines(install_methods.redis(MAC)) == [["brew install redis"]]
    assert install_methods.redis_fix(MAC) == "brew install redis"
    assert install_methods.browser_fix(MAC).startswith("playwright install")


def test_the_browser_is_downloaded_with_a_time_limit_or_else_installed_from_debian() -> None:
    """A download host that hangs must not block the set-up."""
    found = install_methods.browser(DEBIAN_ROOT)
    assert lines(found)[0][0].endswith("-m playwright install --only-shell chromium")
    assert found[0].limit_s <= 300
    assert "chromium-headless-shell" in lines(found)[1][0]


def test_npm_runs_no_script_of_a_package() -> None:
    """Only the packages in the lock file are installed, and none of their scripts run."""
    assert "--ignore-scripts" in npm_command()
    assert npm_command()[-5:][0] == "ci"
