"""Batches: runs that were submitted together, with one verdict, one progress, and one cancel."""

from qa_queue.batches.batches import Batches
from qa_queue.batches.view import BatchVerdict, BatchView, view_of

__all__ = ["BatchVerdict", "BatchView", "Batches", "view_of"]
