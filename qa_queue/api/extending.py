"""What a package needs whose queue has operations of its own: who may use them, and what they may answer.

A router is made by a function of a `Backend`, named in `QueueSpec.router`. Its paths are those behind `/api/v1`.
"""

from qa_queue.api.auth import Admin, Reader, Runner
from qa_queue.api.errors import answers
from qa_queue.api.schemas.parameters import IdempotencyKey
from qa_queue.api.schemas.runs import Body
from qa_queue.services import Backend

__all__ = ["Admin", "Backend", "Body", "IdempotencyKey", "Reader", "Runner", "answers"]
