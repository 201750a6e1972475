"""The RQ worker of qa-queue."""
