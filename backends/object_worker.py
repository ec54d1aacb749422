"""The child process that makes objects: `python -m stepwell.backends.object_worker`.

It reads requests from its standard input and writes answers to its standard output. A request is a length and that much JSON, a length
and that much LLVM IR; an answer is a length and that much of an object, none when there is none: whoever asked then finds out why.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import IO

from stepwell.backends.object import compile_llvm
from stepwell.backends.target import Target

LENGTH = struct.Struct("<Q")


def write_piece(stream: IO[bytes], data: bytes) -> None:
    """Write bytes and how many."""
    stream.write(LENGTH.pack(len(data)))
    stream.write(data)


def read_piece(stream: IO[bytes]) -> bytes:
    """Read what `write_piece` wrote.

    Raises:
        EOFError: the stream ends before.
    """
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (length,) = LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def answer(request: bytes, text: bytes) -> bytes:
    """The object a request asks for; empty when there is none."""
    fields = json.loads(request)
    try:
        return compile_llvm(text.decode(), Target(**fields["target"]), fields["opt_level"])
    except Exception:  # it is made again where the error can be told
        return b""


def serve() -> None:
    """Answer requests until standard input ends; nothing else may get between the answers."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        while True:
            request = read_piece(requests)
            write_piece(answers, answer(request, read_piece(requests)))
            answers.flush()
    except (EOFError, BrokenPipeError):
        pass


if __name__ == "__main__":
    serve()
