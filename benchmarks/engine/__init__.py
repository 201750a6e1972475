"""The benchmark of the worker engine: its parts; `benchmarks/worker.py` is the command."""
