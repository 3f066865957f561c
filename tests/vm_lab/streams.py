"""What comes out of a guest: bytes of its command, and lines of its control channel."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import IO


class Output:
    """One stream of the command's output, passed on as it comes, up to the mark that ends it.

    ``seen`` is called for every piece, so that somebody knows that the guest is alive.
    """

    def __init__(self, sink: IO[bytes], mark: bytes, seen: Callable[[], None]) -> None:
        self._sink = sink
        self._mark = mark
        self._seen = seen
        self._held = b""
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take a piece; what follows the mark (a daemon left behind may write) is dropped."""
        if self.ended:
            return
        self._seen()
        text, mark, _ = (self._held + data).partition(self._mark)
        self.ended = bool(mark)
        keep = 0 if mark else _overlap(text, self._mark)
        self._held = text[len(text) - keep :]
        self._write(text[: len(text) - keep])

    def flush(self) -> None:
        """Write what was held back: there is no more."""
        self._write(self._held)
        self._held = b""

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._sink.flush()


def _overlap(text: bytes, mark: bytes) -> int:
    """How many bytes at the end of ``text`` may be the beginning of ``mark``."""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:length]):
            return length
    return 0


class Control:
    """The lines that the second stage and the host say to each other."""

    def __init__(self, channel: socket.socket, take: Callable[[str, str], None]) -> None:
        self._channel = channel
        self._take = take
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Take a piece; every full line is handed on as its first word and the rest."""
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            self._take(word, rest)

    def say(self, line: str) -> bool:
        """Send a line; false if nobody is there any more."""
        try:
            self._channel.sendall(line.encode() + b"\n")
        except OSError:
            return False
        return True


def new_mark() -> bytes:
    """An end that no command writes by chance."""
    return f"[end {os.urandom(12).hex()}]".encode()
