"""The progress of runs: written with each step, followed live, and replayed to late readers."""

from qa_queue.progress.reader import KEEP_S, ProgressEvent, ProgressReader, stream_key
from qa_queue.progress.writer import ProgressWriter

__all__ = ["KEEP_S", "ProgressEvent", "ProgressReader", "ProgressWriter", "stream_key"]
