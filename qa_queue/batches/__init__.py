"""Batches: runs that were submitted together, with one verdict, one progress, and one cancel."""

from qa_queue.batches.batches import Batches
from qa_queue.batches.view import BatchSummary, BatchVerdict, BatchView, summary_of, view_of

__all__ = ["BatchSummary", "BatchVerdict", "BatchView", "Batches", "summary_of", "view_of"]
