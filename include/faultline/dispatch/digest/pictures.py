"""How often, over time: as a line of characters for chats and terminals, and as a picture for mail.

The picture is a PNG. Gmail and Outlook show neither SVG nor ``data:`` addresses; a PNG that is part of the message, and
named by its Content-ID, is shown by all of them, and nothing is fetched from anywhere. Bars need no drawing library.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_LEVELS = "▂▃▄▅▆▇█"
_NOTHING = "▁"
# Twice what is shown, for screens of high density.
WIDTH, HEIGHT = 1152, 240
_GAP = 6
_NOW, _BEFORE, _AXIS = (0xD6, 0x45, 0x45), (0xD0, 0xD4, 0xDA), (0x8A, 0x91, 0x9C)
_Pixels = npt.NDArray[np.uint8]


def sparkline(series: Sequence[int]) -> str:
    """One character for each number, the highest for the greatest; nothing at all shows as the lowest."""
    most = max(series, default=0)
    return "".join(_LEVELS[(len(_LEVELS) * value - 1) // most] if value else _NOTHING for value in series)


def bars(series: Sequence[int], before: Sequence[int]) -> bytes:
    """A PNG of the series as bars, each in front of a pale one of the interval before."""
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    most = max(*series, *before, 1)
    step = WIDTH / max(len(series), 1)
    for number, (now, then) in enumerate(zip(series, before, strict=True)):
        left, right = round(number * step) + _GAP // 2, round((number + 1) * step) - _GAP // 2
        _bar(pixels, left, right, then / most, _BEFORE)
        inset = (right - left) // 5
        _bar(pixels, left + inset, right - inset, now / most, _NOW)
    pixels[-2:] = _AXIS
    return _png(pixels)


def _bar(pixels: _Pixels, left: int, right: int, part: float, colour: tuple[int, int, int]) -> None:
    """A bar that is at least visible when there is anything."""
    height = max(round(part * (HEIGHT - 4)), 4) if part else 0
    pixels[HEIGHT - 2 - height : HEIGHT - 2, left:right] = colour


def _png(pixels: _Pixels) -> bytes:
    """The pixels as PNG (RFC 2083): eight bits a colour, no filter, no interlace."""
    height, width, _ = pixels.shape
    rows = np.concatenate((np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)), axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in (*chunks, (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
