"""To be built: progress."""
