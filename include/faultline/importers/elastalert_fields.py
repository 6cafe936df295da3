"""Elasticsearch's fields → the labels that rules count by, and its values → theirs."""

from __future__ import annotations

import re

from faultline.alerting.counts import LABEL_COLUMNS
from faultline.records.levels import normalise_level
from faultline.topicfile import TopicFields

_DEFAULTS = TopicFields()
_LABELS = {name: column for column in LABEL_COLUMNS for name in getattr(_DEFAULTS, column)}
_TEXTS = {
    name for column in ("message", "stack_trace", "timestamp", "record_id") for name in getattr(_DEFAULTS, column)
}
# How a field's exact value is called beside its analysed words, and where Logstash V0 puts fields.
_SUFFIX = re.compile(r"\.(?:keyword|raw)$")
_PREFIX = "@fields."


def label_of(field: str) -> str:
    """The label that counts what is in the field; ValueError for one that is no label, such as a message."""
    name = _SUFFIX.sub("", field).removeprefix(_PREFIX)
    if name in _TEXTS or name.startswith("_") or not name:
        raise ValueError(f"{field!r} is no label: records are counted by service, level, host … and by count labels")
    return _LABELS.get(name, name)


def is_count_label(label: str) -> bool:
    """Whether only topics that name it in their ``count_labels`` have it."""
    return label not in (*LABEL_COLUMNS, "fingerprint", "topic")


def value_of(label: str, value: str) -> str:
    """The value as records are counted by it."""
    return (normalise_level(value) or value) if label == "level" else value
