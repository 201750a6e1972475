"""A slow network: the delay of each piece of data on a link of limited rate, by the clock of its caller."""

from __future__ import annotations

from dataclasses import dataclass

from qa_queue.cases.environment import PROFILES, Throttle

MAX_WAITING = 256 << 10  # bytes that wait for one link until its sender has to pause


@dataclass(frozen=True, kw_only=True)
class LinkSpeed:
    """The speed of a network: rates in bytes a second, None for unlimited, and the latency of responses in s."""

    download: float | None = None
    upload: float | None = None
    latency: float = 0.0

    @classmethod
    def of(cls, throttle: Throttle) -> LinkSpeed:
        """Return the speed that a case asks for."""
        wanted = PROFILES[throttle.profile] if throttle.profile else throttle
        rates = (None if rate is None else rate * 125 for rate in (wanted.download, wanted.upload))
        download, upload = rates
        return cls(download=download, upload=upload, latency=wanted.latency / 1000)


class Link:
    """One direction of a network that all connections of a run share."""

    def __init__(self, rate: float | None, latency: float = 0.0) -> None:
        self._rate = rate
        self._latency = latency
        self._free_at = 0.0

    def delay(self, size: int, now: float) -> float:
        """Return the seconds until a piece of this size has arrived that is sent now, behind those before it."""
        took = size / self._rate if self._rate else 0.0
        self._free_at = max(self._free_at, now) + took
        return self._free_at - now + self._latency
