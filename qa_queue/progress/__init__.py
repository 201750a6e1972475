"""The progress of runs: written with each step, followed live, and replayed to late readers."""

from qa_queue.progress.events import FROM_START, KEEP_S, ProgressEvent, ProgressReader, ProgressWriter, stream_key

__all__ = ["FROM_START", "KEEP_S", "ProgressEvent", "ProgressReader", "ProgressWriter", "stream_key"]
