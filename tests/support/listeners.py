"""Listeners on loopback that must receive nothing: TCP, with and without IPv6, and UDP, on one port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress


class Listener:
    """A port of this machine; counts the connections and bytes that reach it, and answers none."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.received = 0  # bytes by TCP
        self.datagrams = 0  # bytes by UDP

    @property
    def silent(self) -> bool:
        """True while nothing has reached the port."""
        return not (self.connections or self.received or self.datagrams)

    def accept(self, server: socket.socket) -> None:
        """Count connections until the socket is shut down."""
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                self.connections += 1
                threading.Thread(target=self._read, args=(client,), daemon=True).start()

    def receive(self, server: socket.socket) -> None:
        """Count datagrams until an empty one comes, which ends it."""
        while data := server.recv(65_536):
            self.datagrams += len(data)

    def _read(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while data := client.recv(65_536):
                self.received += len(data)


@contextmanager
def listen() -> Iterator[Listener]:
    """A listener on 127.0.0.1, and on ::1 where this machine has IPv6."""
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener = Listener(first.getsockname()[1])
        servers = [first]
        with suppress(OSError):
            servers.append(
                stack.enter_context(socket.create_server(("::1", listener.port), family=socket.AF_INET6))
            )
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", listener.port))
        threads = [threading.Thread(target=listener.accept, args=(server,)) for server in servers]
        threads.append(threading.Thread(target=listener.receive, args=(udp,)))
        for thread in threads:
            thread.start()
        try:
            yield listener
        finally:
            for server in servers:
                server.shutdown(socket.SHUT_RDWR)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", ("127.0.0.1", listener.port))
            for thread in threads:
                thread.join()
