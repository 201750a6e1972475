"""`python -m examples.shop --port N`: print the shop's URL and serve it until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from examples.shop.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description="Serve the example shop.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free port (default: 8080)")
    options = parser.parse_args()
    try:
        shop = serve(options.port, host=options.host)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {options.host}:{options.port}: {error.strerror}. Try --port 0.\n")
        return 3
    stopped = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: stopped.set())
    sys.stdout.write(f"{shop.url}\n")  # a reader may send a signal as soon as it has the URL
    sys.stdout.flush()
    stopped.wait()
    shop.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
