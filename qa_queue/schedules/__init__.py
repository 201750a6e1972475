"""Schedules: what is started at set times, when that is, and starting it exactly once."""
