"""Limits: at most so many runs at once, and so many starts a minute, for a site or a user."""

from qa_queue.limits.limits import LimitRule, Limits

__all__ = ["LimitRule", "Limits"]
