"""Messages in a file: how they are written and read back, and how many of them are done with.

A segment begins with a magic word and the number of messages that were replayed; then each message follows as length,
CRC-32 and payload. What a killed process left half written at the end is not read. Knows nothing of folders.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MAGIC = b"KLSPILL1"
_DONE = struct.Struct("<Q")  # messages that were replayed
_HEAD = struct.Struct("<II")  # length of the payload, its CRC-32
_PARTS = struct.Struct("<IiI")  # lengths of topic, key (-1: none) and headers
_NAME_AND_VALUE = struct.Struct("<II")
_BEGIN = len(_MAGIC) + _DONE.size


class Spilled(NamedTuple):
    """A message as the Producer would take it."""

    topic: str
    value: bytes
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Segment:
    """One file of messages; ``count`` of them, the first ``done`` of which are of no more interest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.count = 0
        self.done = 0
        self._file: int | None = None

    @classmethod
    def found(cls, path: Path) -> Segment:
        """A segment that another process has written."""
        segment = cls(path)
        data = path.read_bytes()
        segment.size = len(data)
        segment.count = sum(1 for _ in _payloads(data))
        segment.done = min(_DONE.unpack_from(data, len(_MAGIC))[0], segment.count) if segment.count else 0
        return segment

    def append(self, message: Spilled) -> int:
        """Write the message to the file, which is made if need be; returns its bytes. OSError when that fails."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._write(_MAGIC + _DONE.pack(0))
        payload = encode(message)
        written = self._write(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        self.count += 1
        return written

    def read(self) -> list[Spilled]:
        """The messages that are not done with."""
        return [decode(payload) for payload in _payloads(self.path.read_bytes())][self.done :]

    def advance(self, number: int) -> None:
        """So many more messages are done with, also for a process that comes after this one."""
        self.done += number
        file = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(file, _DONE.pack(self.done), len(_MAGIC))
        finally:
            os.close(file)

    def close(self) -> None:
        """Write no more."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _write(self, data: bytes) -> int:
        """All of it or nothing: a part at the end would hide what is appended later."""
        assert self._file is not None
        try:
            written = os.pwrite(self._file, data, self.size)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += written
        return written


def encode(message: Spilled) -> bytes:
    """The message as bytes."""
    topic = message.topic.encode()
    key = message.key or b""
    headers = b"".join(
        _NAME_AND_VALUE.pack(len(name.encode()), len(value)) + name.encode() + value for name, value in message.headers
    )
    lengths = _PARTS.pack(len(topic), -1 if message.key is None else len(key), len(headers))
    return b"".join((lengths, topic, key, headers, message.value))


def decode(payload: bytes) -> Spilled:
    """What ``encode`` was given."""
    topic_size, key_size, headers_size = _PARTS.unpack_from(payload)
    key_at = _PARTS.size + topic_size
    headers_at = key_at + max(key_size, 0)
    value_at = headers_at + headers_size
    return Spilled(
        payload[_PARTS.size : key_at].decode(),
        payload[value_at:],
        None if key_size < 0 else payload[key_at:headers_at],
        tuple(_headers(payload[headers_at:value_at])),
    )


def _headers(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(data):
        name_size, value_size = _NAME_AND_VALUE.unpack_from(data, at)
        name_at = at + _NAME_AND_VALUE.size
        at = name_at + name_size + value_size
        yield data[name_at : name_at + name_size].decode(), data[name_at + name_size : at]


def _payloads(data: bytes) -> Iterator[bytes]:
    """Whole messages from the start; the first that is torn or damaged ends them."""
    if data[: len(_MAGIC)] != _MAGIC:
        return
    at = _BEGIN
    while at + _HEAD.size <= len(data):
        size, crc = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + size]
        if len(payload) < size or zlib.crc32(payload) != crc:
            return
        yield payload
        at += _HEAD.size + size
