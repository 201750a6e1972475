"""Dead letters: jobs whose attempts are used up. Look at them, put them back on their queues, or discard them."""

from qa_queue.deadletters.deadletters import DeadLetters, RequeueReport
from qa_queue.deadletters.letter import DeadLetter
from qa_queue.deadletters.unreadable import bury_unreadable

__all__ = ["DeadLetter", "DeadLetters", "RequeueReport", "bury_unreadable"]
