"""The processors: one a queue, on one base; they drive the browser and write what happened."""
