"""The soak test: many runs on one worker, to detect growth; start it with `python -m benchmarks.soak`."""
