"""ElastAlert's types of rules: the fields of each that decide what it counts, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from faultline.durations import format_duration, parse_duration
from faultline.importers.elastalert_fields import label_of
from faultline.importers.elastalert_filters import filter_matchers
from faultline.importers.sections import flag, kind_of, text, texts

Reader = Callable[[Any], Any]


def span(value: object) -> str:
    """A time such as ``{minutes: 5}``."""
    units = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds")
    if not isinstance(value, Mapping) or not value or any(unit not in units for unit in value):
        raise ValueError("not a time such as {minutes: 5}")
    try:
        written = format_duration(timedelta(**{str(unit): float(number) for unit, number in value.items()}))
    except (TypeError, OverflowError):
        raise ValueError("not a time such as {minutes: 5}") from None
    parse_duration(written)
    return written


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{kind_of(value)} where a number is expected")
    return int(value) if isinstance(value, int) else float(value)


def _more_than_none(value: object) -> int | float | None:
    """A number; 0 is what ElastAlert takes for not given."""
    return _number(value) or None


def _label(value: object) -> str:
    return label_of(text(value))


def label_names(value: object) -> list[str]:
    """A field, or several, as the labels that count what is in them."""
    return list(dict.fromkeys(map(label_of, texts(value))))


# For each type that ours has as well: its fields, and how each is read.
KINDS: Mapping[str, Mapping[str, Reader]] = {
    "frequency": {"num_events": _number, "timeframe": span},
    "spike": {
        "spike_height": _number,
        "spike_type": text,
        "threshold_ref": _number,
        "threshold_cur": _number,
        "alert_on_new_data": flag,
        "timeframe": span,
    },
    "flatline": {"threshold": _number, "forget_keys": flag, "timeframe": span},
    "cardinality": {
        "cardinality_field": _label,
        "max_cardinality": _number,
        "min_cardinality": _number,
        "timeframe": span,
    },
    "percentage_match": {
        "match_bucket_filter": filter_matchers,
        "max_percentage": _number,
        "min_percentage": _number,
        "min_denominator": _more_than_none,
    },
    "new_term": {"terms_window_size": span},
    "any": {},
}
NO_SUCH_KIND = {
    "blacklist": 'write a frequency rule with num_events: 1 and a matcher compare_key=~"one|other"',
    "whitelist": 'write a frequency rule with num_events: 1 and a matcher compare_key!~"one|other"',
    "change": "Faultline counts records and does not compare one with the next",
    "metric_aggregation": "Faultline counts records and not what is in them",
    "spike_aggregation": "Faultline counts records and not what is in them",
}
# Fields that change what a rule counts, so that without them it would be another rule.
DECISIVE = {"field_value": "Faultline counts records and does not add up what is in them"}
