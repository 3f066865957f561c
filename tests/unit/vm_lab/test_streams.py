"""The command's output ends where the command did."""

from __future__ import annotations

import io
import socket

import pytest
from tests.vm_lab.streams import Control, Output, new_mark


def fed(pieces: list[bytes], mark: bytes = b"[end]") -> tuple[bytes, bool, int]:
    sink = io.BytesIO()
    heard: list[None] = []
    output = Output(sink, mark, lambda: heard.append(None))
    for piece in pieces:
        output.feed(piece)
    output.flush()
    return sink.getvalue(), output.ended, len(heard)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 100])
def test_the_mark_ends_a_stream_however_it_is_cut(size: int) -> None:
    text = b"one [e two [en[end] a daemon's last words"
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    written, ended, _ = fed(pieces)
    assert (written, ended) == (b"one [e two [en", True)


def test_without_a_mark_nothing_is_lost() -> None:
    assert fed([b"half of [en"]) == (b"half of [en", False, 1)


def test_what_may_be_the_mark_is_held_back_only_until_it_is_not() -> None:
    sink = io.BytesIO()
    output = Output(sink, b"[end]", lambda: None)
    output.feed(b"text [en")
    assert sink.getvalue() == b"text "
    output.feed(b"ough")
    assert sink.getvalue() == b"text [enough"


def test_marks_differ() -> None:
    assert new_mark() != new_mark()


def test_control_hands_on_whole_lines() -> None:
    near, far = socket.socketpair()
    with near, far:
        taken: list[tuple[str, str]] = []
        control = Control(near, lambda word, rest: taken.append((word, rest)))
        control.feed(b"START\nEXI")
        assert taken == [("START", "")]
        control.feed(b"T 3\n")
        assert taken == [("START", ""), ("EXIT", "3")]
        assert control.say("DUMP")
        assert far.recv(100) == b"DUMP\n"
        far.close()
        assert not control.say("DUMP")
