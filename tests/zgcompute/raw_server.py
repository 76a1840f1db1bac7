"""A server of raw bytes for tests: each test says exactly what goes over the wire, and when."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

Script = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One request as received, and the connection to answer on."""

    connection: socket.socket
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reply(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def start_chunked(self, *headers: str) -> None:
        lines = ["HTTP/1.1 200 OK", "transfer-encoding: chunked", *headers, "", ""]
        self.send("\r\n".join(lines).encode())

    def chunk(self, data: bytes) -> None:
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@dataclass
class RawServer:
    """Answers each request with `script`; `seen` holds the requests."""

    script: Script
    tls: ssl.SSLContext | None = None
    seen: list[Exchange] = field(default_factory=list)
    connections: int = 0
    server_names: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        if self.tls is not None:
            self.tls.sni_callback = lambda _, name, __: self.server_names.append(name)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            with connection, connection.makefile("rb") as stream:
                while exchange := _read(connection, stream):
                    self.seen.append(exchange)
                    self.script(exchange)


def _read(connection: socket.socket, stream: object) -> Exchange | None:
    first = stream.readline()  # type: ignore[attr-defined]
    if not first:
        return None
    method, path, _ = first.decode().split(" ", 2)
    headers = {}
    while line := stream.readline().strip():  # type: ignore[attr-defined]
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
    return Exchange(connection, method, path, headers, body)


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    server = RawServer(script, tls)
    try:
        yield server
    finally:
        server.close()


def authority_for(name: str, folder: object) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS settings of a server called `name`, and of a client that trusts it alone."""
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = Path(str(folder)) / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(private + public)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=public.decode())
