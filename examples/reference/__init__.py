"""An example for each word of the case language, and the small site that they run on.

`python -m examples.reference` serves the site; `qa-queue run examples/reference/actions/clear.yaml` runs an
example. Every file is a suite: cases that pass, and cases called "Fails: MESSAGE" that fail with that message.
"""

from examples.reference.server import serve

__all__ = ["serve"]
