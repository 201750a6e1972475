"""The order in which waiting jobs are taken, and taking them without a moment in which a job is nowhere.

RQ's own list of a queue stays the truth of what waits, so plain `rq worker`, `rq info` and rq-dashboard see the
queue as it is. It is kept in order: a job enters it at the place that its rank says. The rank is the moment of
arrival moved by its priority (`offset_us`), so it never changes while the job waits, and a job retried by RQ's
scheduler gets its old place back. Ranks stand beside the list in `qa:ranks:<queue>`; where the two disagree (a
plain worker took a job, a scheduler put one back) the next enqueue or dequeue mends it.
"""

from qa_queue.priorities.dequeue import Taken, acknowledge, dequeue, put_back
from qa_queue.priorities.enqueue import Claim, NewJob, Refused, enqueue_all, promote_due, push_ranked
from qa_queue.priorities.keys import QueueKeys
from qa_queue.priorities.notes import Event, note
from qa_queue.priorities.pausing import pause, resume
from qa_queue.priorities.queue import PriorityQueue
from qa_queue.priorities.rank import LOW_AGEING_S, offset_us

__all__ = [
    "LOW_AGEING_S",
    "Claim",
    "Event",
    "NewJob",
    "PriorityQueue",
    "QueueKeys",
    "Refused",
    "Taken",
    "acknowledge",
    "dequeue",
    "enqueue_all",
    "note",
    "offset_us",
    "pause",
    "promote_due",
    "push_ranked",
    "put_back",
    "resume",
]
