"""Serve the site of the examples: python -m examples.reference [PORT]"""

import contextlib
import sys
import threading

from examples.reference.server import serve

if __name__ == "__main__":
    with serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8090) as url, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"The site of the examples: {url}\n")
        sys.stdout.flush()
        threading.Event().wait()
