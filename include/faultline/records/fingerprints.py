"""Which records say the same thing: a hash of the exception type and of the message without what varies.

The version is part of the fingerprint, so that a later recipe never regroups history.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from faultline.records.distinct import map_distinct

VERSION = "v1"
# What tells two messages apart stands at their beginning; a megabyte of dump does not.
_LENGTH = 1000
# In this order: a later mask sees what the earlier ones left. RE2 syntax.
_MASKS = (
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
    (r'"[^"]*"', "<str>"),
    (r"(^|[\s(=:,\[{])'[^']*'", r"\1<str>"),
    (r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s<>()]+", "<url>"),
    (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<addr>"),
    (r"(^|[\s(=:,\[{])(?:[a-zA-Z]:\\|~?/)[^\s:,)\]}]+", r"\1<path>"),
    (r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?\b", "<addr>"),
    (r"\b[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){3,7}\b", "<addr>"),
    (r"\b0[xX][0-9a-fA-F]+\b", "<hex>"),
    (r"\b[0-9a-fA-F]{8,}\b", "<hex>"),
    (r"[0-9]+(?:\.[0-9]+)?", "<n>"),
)


def mask(texts: pa.Array) -> pa.Array:
    """Texts with ids, addresses, paths, quoted strings and numbers replaced by what kind of thing they are."""
    masked = pc.utf8_slice_codeunits(texts, 0, _LENGTH)
    for pattern, replacement in _MASKS:
        masked = pc.replace_substring_regex(masked, pattern, replacement)
    return masked


def fingerprint(exception_type: str | None, message: str | None) -> str:
    """``v1:`` and 12 hex digits."""
    found: str = fingerprints(pa.array([exception_type], pa.string()), pa.array([message], pa.string()))[0].as_py()
    return found


def fingerprints(exception_types: pa.Array, messages: pa.Array) -> pa.Array:
    """``fingerprint`` of every row; masks and hashes each distinct text once."""
    texts = pc.binary_join_element_wise(exception_types.fill_null(""), messages.fill_null(""), "\n").dictionary_encode()
    return map_distinct(mask(texts.dictionary), _hash, pa.string()).take(texts.indices)


def _hash(text: str) -> str:
    return f"{VERSION}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
