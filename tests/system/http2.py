"""As much of an HTTP/2 client as it takes to be a bad one: calls whose answers nobody reads, or only a few bytes at a time, and
requests whose last byte never comes."""

import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65535
# The kinds of frames.
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
ACK = 1
INITIAL_WINDOW_SIZE = 4
LEAST_MAX_FRAME = 16384


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


class HalfSender:
    """A connection with so many calls at a time, of whose only message of `size` bytes everything but the last byte is sent as far as
    the server has room for it. A call that the server ends makes room for another one."""

    def __init__(self, port, path, calls, size):
        self.socket = connect(port)
        self.socket.setblocking(False)
        self.path, self.size = path, size
        self.room = self.first_room = DEFAULT_WINDOW
        self.calls = {}  # room and missing bytes of each
        self.next_call = 1
        self.received = b""
        self.to_send = b""
        self.sent = 0
        self.ended = 0
        for _ in range(calls):
            self.begin()

    def begin(self):
        head = b"\0" + struct.pack(">I", self.size)
        self.to_send += request_headers(self.next_call, self.path) + frame(DATA, 0, self.next_call, head)
        self.room -= len(head)
        self.calls[self.next_call] = [self.first_room - len(head), self.size - 1]
        self.next_call += 2

    def step(self):
        """Takes what the server says, and sends what it has room for. False once the server has ended the connection."""
        try:
            while data := self.socket.recv(1 << 16):
                self.received += data
        except BlockingIOError:
            self.take_frames()
            return self.send()
        except OSError:
            pass
        return False

    def take_frames(self):
        while len(self.received) >= 9:
            length = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + length:
                return
            kind, flags = self.received[3:5]
            self.take(kind, flags, int.from_bytes(self.received[5:9], "big"), self.received[9 : 9 + length])
            self.received = self.received[9 + length :]

    def take(self, kind, flags, number, payload):
        if kind == WINDOW_UPDATE:
            if number == 0:
                self.room += int.from_bytes(payload, "big")
            elif number in self.calls:
                self.calls[number][0] += int.from_bytes(payload, "big")
        elif kind == RST_STREAM and self.calls.pop(number, None):
            self.ended += 1
            self.begin()
        elif kind == PING and not flags & ACK:
            self.to_send += frame(PING, ACK, 0, payload)
        elif kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == INITIAL_WINDOW_SIZE:
                    for call in self.calls.values():
                        call[0] += value - self.first_room
                    self.first_room = value
            self.to_send += frame(SETTINGS, ACK, 0, b"")

    def send(self):
        for number, call in self.calls.items():
            count = min(*call, self.room, LEAST_MAX_FRAME)
            if count > 0 and len(self.to_send) < 1 << 17:
                self.to_send += frame(DATA, 0, number, bytes(count))
                self.room -= count
                self.sent += count
                call[0] -= count
                call[1] -= count
        try:
            self.to_send = self.to_send[self.socket.send(self.to_send) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def close(self):
        self.socket.close()
