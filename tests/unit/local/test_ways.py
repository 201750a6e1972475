"""Which commands get a part on which machine."""

from __future__ import annotations

from qa_queue.local import install_methods
from qa_queue.local.install_methods import Machine

DEBIAN_ROOT = Machine(apt=True, brew=False, root=())
DEBIAN_USER = Machine(apt=True, brew=False, root=("sudo",))
DEBIAN_GUEST = Machine(apt=True, brew=False, root=None)
MAC = Machine(apt=False, brew=True, root=("sudo",))


def lines(found: tuple[install_methods.Way, ...]) -> list[list[str]]:
    """The commands of each way as a person would type them."""
    return [[" ".join(command) for command in way.commands] for way in found]


def test_debian_installs_at_once_and_else_after_an_update() -> None:
    """An update takes long and is often not needed."""
    install = "apt-get install -y --no-install-recommends redis-server"
    assert lines(install_methods.redis(DEBIAN_ROOT)) == [[install], ["apt-get update", install]]


def test_a_user_goes_through_sudo_and_one_without_sudo_is_told_what_to_run() -> None:
    """Nothing is tried that cannot work."""
    assert lines(install_methods.redis(DEBIAN_USER))[0][0].startswith("sudo apt-get install")
    assert install_methods.redis(DEBIAN_GUEST) == ()
    assert install_methods.redis_mend(DEBIAN_GUEST) == "sudo apt-get install -y redis-server"


def test_a_mac_uses_homebrew() -> None:
    """It needs no root."""
    assert lines(install_methods.redis(MAC)) == [["brew install redis"]]
    assert install_methods.redis_mend(MAC) == "brew install redis"
    assert install_methods.browser_mend(MAC).startswith("playwright install")


def test_the_browser_is_downloaded_first_with_a_limit_and_then_taken_from_debian() -> None:
    """A download host that hangs must not hold the set-up for ever."""
    found = install_methods.browser(DEBIAN_ROOT)
    assert lines(found)[0][0].endswith("-m playwright install --only-shell chromium")
    assert found[0].limit <= 300
    assert "chromium-headless-shell" in lines(found)[1][0]


def test_npm_runs_no_script_of_a_package() -> None:
    """What is installed is what the lock names, and nothing of it runs."""
    assert "--ignore-scripts" in lines(install_methods.lite())[0][0]
