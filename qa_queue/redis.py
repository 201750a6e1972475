"""To be built: redis."""
