"""Limits: at most so many runs at once, and so many starts a minute, for a site or a user."""

from qa_queue.limits.limits import LimitRule, Limits, normal_key

__all__ = ["LimitRule", "Limits", "normal_key"]
