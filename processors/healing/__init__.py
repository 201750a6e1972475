"""Decisions about locating a changed element again. Pure."""
