"""Which records say the same thing: a hash of an exception's type and place, or of a message without what varies.

With a stack trace it is the type and the frames of the application's own code, else the type, if there is one, and the
masked message. The version is part of the fingerprint, so that a later recipe never regroups history.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from faultline.records.distinct import map_distinct
from faultline.records.stacks import own_frames

VERSION = "v1"
# What tells two messages apart stands at their beginning; a megabyte of dump does not.
_LENGTH = 1000
# In this order: a later mask sees what the earlier ones left. One pass each over every text: few are faster than many.
# RE2 syntax.
MASKS = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<n>"),
    (r'"[^"]*"', "<str>"),
    (r"(^|[\s(=:,\[{])'[^']*'", r"\1<str>"),
    (r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s<>()]+", "<url>"),
    (r"(^|[\s(=:,\[{])(?:[a-zA-Z]:\\|\\\\|~?/)[^\s:,)\]}]+", r"\1<path>"),
    (
        r"\b[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]+)?"
        r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})\b)?)?"
        r"|\b[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}\b|\b[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?\b",
        "<time>",
    ),
    # Mail, IPv4, IPv6 with a port, IPv6 and MAC.
    (
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?\b"
        r"|\[[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\](?::[0-9]+)?|\b[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){3,7}\b",
        "<addr>",
    ),
    # An id may look like a number today and like hex tomorrow, so that all of these are one kind: hex; letters and
    # digits that take turns, as in a pod, a request, a session; numbers.
    (r"\b(?:0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8,})\b", "<n>"),
    (r"\b(?:[a-zA-Z]+[0-9]+[a-zA-Z]+[0-9]|[0-9]+[a-zA-Z]+[0-9])[a-zA-Z0-9]*\b", "<n>"),
    (r"[0-9]+(?:[.,][0-9]+)*", "<n>"),
    # However many there are: `id in (1, 2, 3)`.
    (r"(<n>|<str>)(?:, ?(?:<n>|<str>))+", r"\1"),
)


def mask(texts: pa.Array) -> pa.Array:
    """Texts with ids, addresses, paths, quoted strings, times and numbers replaced by what kind of thing they are."""
    masked = pc.utf8_slice_codeunits(texts, 0, _LENGTH)
    for pattern, replacement in MASKS:
        masked = pc.replace_substring_regex(masked, pattern, replacement)
    return masked


def fingerprint(exception_type: str | None, message: str | None, stack_trace: str | None = None) -> str:
    """``v1:`` and 12 hex digits."""
    columns = [pa.array([value], pa.string()) for value in (exception_type, message, stack_trace)]
    found: str = fingerprints(*columns)[0].as_py()
    return found


def fingerprints(exception_types: pa.Array, messages: pa.Array, stack_traces: pa.Array) -> pa.Array:
    """``fingerprint`` of every row; masks and hashes each distinct text once."""
    return map_distinct(substance(exception_types, messages, stack_traces), _hash, pa.string())


def substance(exception_types: pa.Array, messages: pa.Array, stack_traces: pa.Array) -> pa.Array:
    """What is hashed of every row: the type, and a line for each own frame or the masked message."""
    frames = map_distinct(stack_traces, lambda trace: "\n".join(own_frames(trace)) or None, pa.string())
    kinds = exception_types.fill_null("")
    texts = pc.if_else(pc.is_valid(frames), "", messages.fill_null("")).dictionary_encode()
    said = mask(texts.dictionary).take(texts.indices)
    return pc.binary_join_element_wise(kinds, pc.coalesce(frames, said), "\n")


def _hash(text: str) -> str:
    return f"{VERSION}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
