"""The soak: many runs on one worker, and whether anything grows; `python -m benchmarks.soak` is the command."""
