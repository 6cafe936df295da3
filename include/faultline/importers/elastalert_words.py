"""ElastAlert's subject, text and description as annotations: what they say of a record, as Jinja2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter

from faultline.importers.elastalert_fields import label_of
from faultline.importers.sections import Section, text, texts

# What a text of the rule may ask for that is no field of a record.
_KNOWN = {"num_hits": "{{ count }}", "num_matches": "{{ count }}", "@timestamp": "{{ starts_at }}"}
_OF_THE_RULE = ("name", "owner", "description", "category", "priority")
_ANNOTATIONS = {"alert_subject": "summary", "description": "description", "alert_text": "text"}
_BY_HAND = "write the annotation as a Jinja2 template, see docs/alerting.md"
_OPENING = re.compile(r"\{(?=[{%#])")


def annotations_of(section: Section, identity: list[str]) -> dict[str, str]:
    """The annotations of a rule whose alerts have these labels; what asks for more is noted."""
    jinja = section.take("alert_text_type", text) == "alert_text_jinja"
    found: dict[str, str] = {}
    for field, annotation in _ANNOTATIONS.items():
        words, arguments = section.take(field, text), section.take(f"{field}_args", texts)
        if not words:
            continue
        try:
            if jinja and field != "description":
                raise ValueError("a template over whole records; ours see alertname, labels, count and threshold")
            found[annotation] = (
                _literal(words) if arguments is None else _formatted(words, arguments, section, identity)
            )
        except ValueError as error:
            section.report.left(section.spot_of(field), str(error), _BY_HAND)
    return found


def _formatted(words: str, arguments: list[str], section: Section, identity: list[str]) -> str:
    """Python's format with its arguments in their places; ValueError for one that an alert does not know."""
    return "".join(_pieces(words, [_argument(name, section, identity) for name in arguments]))


def _pieces(words: str, arguments: list[str]) -> Iterator[str]:
    number = 0
    for literal, field, spec, conversion in Formatter().parse(words):
        yield _literal(literal)
        if field is None:
            continue
        place = field or str(number)
        number += not field
        if spec or conversion or not place.isdecimal() or int(place) >= len(arguments):
            raise ValueError("a format of its own")
        yield arguments[int(place)]


def _argument(name: str, section: Section, identity: list[str]) -> str:
    if name in _KNOWN:
        return _KNOWN[name]
    if name in _OF_THE_RULE:
        return _literal(section.take(name, text) or "")
    label = label_of(name)
    if label not in identity:
        raise ValueError(f"an alert has no label {label!r}: it is not in the query_key")
    return f"{{{{ labels.{label} }}}}" if label.isidentifier() else f"{{{{ labels[{label!r}] }}}}"


def _literal(words: str) -> str:
    """The words so that Jinja2 shows them as they are."""
    return _OPENING.sub("{{ '{' }}", words)
