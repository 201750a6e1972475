"""A TLS front for a plain TCP server on loopback, with a certificate of its own making."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key; the certificate is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


@contextlib.contextmanager
def tls_front(
    backend: tuple[str, int], certificate: tuple[Path, Path], *, client_ca: Path | None = None
) -> Iterator[int]:
    """Accept TLS on a free port and pass everything on to `backend`; yields the port.

    With `client_ca`, a client has to show a certificate of that authority.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, backend), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket, context: ssl.SSLContext, backend: tuple[str, int]) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # the test is over
            return
        threading.Thread(target=_serve, args=(plain, context, backend), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, backend: tuple[str, int]) -> None:
    with (
        contextlib.suppress(OSError),
        context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as client,
        socket.create_connection(backend) as server,
    ):
        if not _accepted(client):
            return
        while True:
            for ready in select.select([client, server], [], [])[0]:
                data = _take(client) if ready is client else server.recv(65536)
                if not data:
                    return
                (server if ready is client else client).sendall(data)


def _accepted(client: ssl.SSLSocket) -> bool:
    try:
        client.do_handshake()
    except ssl.SSLError:
        # A close with data unread is a reset, which would overtake the alert that says why.
        raw = socket.socket(fileno=os.dup(client.fileno()))
        with raw:
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass
        return False
    return True


def _take(client: ssl.SSLSocket) -> bytes:
    """Return the received data, with data that the TLS layer has buffered and `select` does not report."""
    data = client.recv(65536)
    while client.pending():
        data += client.recv(65536)
    return data
