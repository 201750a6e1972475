"""To be built: producer."""
