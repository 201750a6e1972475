"""To be built: queues."""
