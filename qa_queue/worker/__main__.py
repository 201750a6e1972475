"""Run one worker of an autoscaler, which ends with it: `python -m qa_queue.worker PARENT_PID QUEUE...`."""

from __future__ import annotations

import signal
import sys

from qa_queue.errors import QAError
from qa_queue.settings import load_settings
from qa_queue.worker.die_with_parent import die_with_parent
from qa_queue.worker.worker import serve

if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]), signal.SIGTERM)
    try:
        serve(sys.argv[2:], load_settings())
    except QAError as error:
        sys.exit(str(error))
