"""Names for API operations of packages: who may use an operation, and what it may answer.

A function of a `Backend`, named in `ExtensionSpec.router`, makes the router. Its paths are below `/api/v1`.
"""

from qa_queue.api.dependencies import Admin, IdempotencyKey, Reader, Runner
from qa_queue.api.errors import answers
from qa_queue.api.schemas.runs import Body
from qa_queue.services import Backend

__all__ = ["Admin", "Backend", "Body", "IdempotencyKey", "Reader", "Runner", "answers"]
