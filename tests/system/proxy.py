"""A TCP proxy between two programs, which does to their connections what networks do."""

import contextlib
import selectors
import socket
import struct
import threading

CHUNK_BYTES = 64 * 1024


class Link:
    """One connection through the proxy. What came from either side, and was not passed on yet, is kept."""

    def __init__(self, near, far):
        self.near = near  # who connected
        self.ends = {near: far, far: near}
        self.kept = {near: b"", far: b""}
        self.passes_until = None  # a number of bytes, after which the link is reset
        self.holds = False
        self.swallows = False
        self.is_stranded = False  # `near` is gone


class Proxy:
    """Passes everything on to a port, until it is told otherwise. Every method may be called at any time; each is about the links that
    there are then, and not about later ones unless it says so. A context manager."""

    def __init__(self, port, host="127.0.0.1"):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.delay_seconds = 0.0
        self.refuses = False
        self.links = []
        self.lock = threading.RLock()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def cut(self):
        """Ends every link in order, and what is on its way is lost."""
        with self.lock:
            for link in list(self.links):
                self.close(link)

    def reset_after(self, count):
        """Passes this many more bytes of each link and then resets it, in the middle of whatever that is."""
        with self.lock:
            for link in self.links:
                link.passes_until = count

    def swallow(self):
        """From now on nothing that is sent over the links arrives, and nobody is told."""
        with self.lock:
            for link in self.links:
                link.swallows = True

    def hold(self):
        """Keeps what is sent over the links."""
        with self.lock:
            for link in self.links:
                link.holds = True

    def strand(self):
        """Ends what is held towards those who connected. They can come back by another link before what they sent arrives."""
        with self.lock:
            for link in self.links:
                if link.holds and not link.is_stranded:
                    self.leave(link)

    def leave(self, link):
        link.is_stranded = True
        self.forget(link.near)
        link.near.close()

    def release(self):
        """Passes on what was kept, although others may have come and gone since."""
        with self.lock:
            for link in [link for link in self.links if link.holds]:
                link.holds = False
                self.flush(link, link.near)
                if link.is_stranded:
                    self.close(link)
                else:
                    self.flush(link, link.ends[link.near])

    def delay(self, seconds):
        """Everything takes so much longer, on later links too."""
        self.delay_seconds = seconds

    def refuse(self, refuses):
        """Whether later links are ended at once."""
        self.refuses = refuses

    def run(self):
        while not self.ended.is_set():
            for key, _ in self.selector.select(timeout=0.05):
                with self.lock:
                    if key.fileobj is self.listener:
                        self.accept()
                    else:
                        self.receive(key.data, key.fileobj)

    def accept(self):
        near, _ = self.listener.accept()
        if self.refuses:
            near.close()
            return
        try:
            far = socket.create_connection(self.target, timeout=5)
        except OSError:
            near.close()
            return
        link = Link(near, far)
        for end in link.ends:
            end.setblocking(True)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(end, selectors.EVENT_READ, link)
        self.links.append(link)

    def receive(self, link, end):
        if link not in self.links:
            return
        try:
            data = end.recv(CHUNK_BYTES)
        except OSError:
            data = b""
        if not data:
            if link.holds and end is link.near:
                self.leave(link)  # what it sent is still to arrive
            elif link.swallows:
                self.forget(end)  # the other end is not told
            else:
                self.close(link)
            return
        if link.swallows:
            return
        link.kept[end] += data
        if not link.holds:
            if self.delay_seconds > 0:
                threading.Event().wait(self.delay_seconds)
            self.flush(link, end)

    def flush(self, link, end):
        data, link.kept[end] = link.kept[end], b""
        if link.passes_until is not None:
            data = data[: link.passes_until]
            link.passes_until -= len(data)
        try:
            link.ends[end].sendall(data)
        except OSError:
            return self.close(link)
        if link.passes_until == 0:
            self.close(link, reset=True)

    def forget(self, end):
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(end)

    def close(self, link, reset=False):
        if link not in self.links:
            return
        self.links.remove(link)
        for end in link.ends:
            self.forget(end)
            if reset and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.ended.set()
        self.thread.join()
        self.cut()
        self.listener.close()
        self.selector.close()
