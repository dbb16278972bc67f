"""As much of an HTTP/2 client as it takes to be a bad one: calls whose answers nobody reads, or only a few bytes at a time."""

import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65535
# The kinds of frames.
DATA, HEADERS, SETTINGS, WINDOW_UPDATE = 0, 1, 4, 8


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_headers(stream, path):
    fields = [
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"),
        (b"content-type", b"application/grpc"), (b"te", b"trailers"),
    ]
    return frame(HEADERS, 4, stream, b"".join(header(name, value) for name, value in fields))


def message(stream, content, is_last=True):
    return frame(DATA, 1 if is_last else 0, stream, b"\0" + struct.pack(">I", len(content)) + content)


def call(stream, path, content):
    """A call of one message; calls of a connection have odd numbers that rise."""
    return request_headers(stream, path) + message(stream, content)


def opening():
    """What begins a connection, and lets the server send as much as it likes."""
    settings = frame(SETTINGS, 0, 0, struct.pack(">HI", 4, MAX_WINDOW))
    return PREFACE + settings + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", MAX_WINDOW - DEFAULT_WINDOW))


def connect(port, certs=None, name=None):
    """A connection for which this side buffers little; over TLS with the certificate `name` of the folder `certs`."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    if certs:
        context = ssl.create_default_context(cafile=certs / "ca.crt")
        context.load_cert_chain(certs / f"{name}.crt", certs / f"{name}.key")
        context.set_alpn_protocols(["h2"])
        client = context.wrap_socket(client, server_hostname="localhost")
    client.sendall(opening())
    return client
