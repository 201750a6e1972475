"""Limits on the addresses that the browser of a run may reach."""
