"""qa-queue: self-hosted browser tests on RQ."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("qa-queue")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
