"""One rule file of ElastAlert → rules of ours, which are comments where something they count by cannot be carried."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pydantic import TypeAdapter

from faultline.alerting.matchers import Matcher, parse_matchers
from faultline.alerting.rulekinds import Rule
from faultline.importers.elastalert_fields import is_count_label
from faultline.importers.elastalert_filters import filter_matchers
from faultline.importers.elastalert_kinds import DECISIVE, KINDS, NO_SUCH_KIND, Reader, label_names, span
from faultline.importers.elastalert_words import annotations_of
from faultline.importers.report import NOTHING, Report, Spot
from faultline.importers.sections import Field, Section, anything, complaint, flag, text

_RULE: TypeAdapter[Any] = TypeAdapter(Rule)
_BY_HAND = "it is a comment in the result: complete it by hand"
_INDEX = re.compile(r"[-_.]*(?:\*|%|<|\{|\d{4}[-.]).*$")
_TOPIC = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,248}")


@dataclass(frozen=True, slots=True)
class Source:
    """A rule with what it imports; every file of it, and all the filters."""

    section: Section
    files: tuple[str, ...]
    filters: tuple[Field, ...]


class RuleConversion:
    """One rule file on its way; ``off`` once something that it counts by cannot be carried."""

    def __init__(self, source: Source, names: set[str], report: Report) -> None:
        self._source = source
        self._section = source.section
        self._names = names
        self._report = report
        self._off = False

    def rules(self) -> Iterator[tuple[dict[str, Any], bool]]:
        """The rules it becomes, and whether each is only a comment: one for each field of a new_term, else one."""
        section = self._section
        name = section.take("name", text) or PurePath(self._source.files[0]).stem
        kind = section.take("type", text) or ""
        self._disabled()
        options = self._options(kind)
        topics, matchers = self._topics(), self._matchers()
        keys = self._read("query_key", label_names) or []
        fields = self._fields(keys) if kind == "new_term" else [[]]
        for each in fields:
            alert = name if len(fields) == 1 else f"{name}: {', '.join(each)}"
            value = {
                "alert": self._unused(alert),
                "type": "frequency" if kind == "any" else kind,
                "topics": topics,
                "matchers": matchers,
                "query_key": [] if kind == "new_term" else keys,
                "fields": each,
                **options,
                "labels": self._labels(keys),
                "annotations": annotations_of(section, each or keys),
            }
            if len(each) > 1:
                # Ours would also call new what has only one of them.
                value["matchers"] = [*matchers, *(str(Matcher(label, "!=", "")) for label in each)]
            value = {field: said for field, said in value.items() if said not in ([], {}, None, "")}
            off = self._off or not self._is_good(value)
            if not off:
                self._count_labels(value)
            yield value, off

    def _disabled(self) -> None:
        if self._section.take("is_enabled", flag) is False:
            spot = self._section.spot_of("is_enabled")
            self._report.left(spot, "the rule is off", "it is a comment in the result: remove the # to switch it on")
            self._off = True

    def _options(self, kind: str) -> dict[str, Any]:
        """What only this type has."""
        spot = self._section.spot_of("type")
        if kind not in KINDS:
            self._lose(spot, f"no type {kind!r} here", NO_SUCH_KIND.get(kind, f"{_BY_HAND}, see docs/alerting.md"))
            return {}
        for name in [name for name in self._section.fields if name in DECISIVE]:
            self._section.take(name, anything)
            self._lose(self._section.spot_of(name), DECISIVE[name])
        options = {name: self._read(name, read) for name, read in KINDS[kind].items()}
        if kind == "percentage_match":
            options["timeframe"] = self._buffer()
        if kind == "any":
            why = "every match was told; now there is a page when there are any, and another when there are none"
            self._report.differs(spot, why, "set num_events and timeframe as it suits you")
            options = {"num_events": 1, "timeframe": "1m"}
        return options

    def _buffer(self) -> str:
        """ElastAlert takes percentages over what it asks for at once."""
        found = self._read("buffer_time", span) or self._read("timeframe", span)
        if found is None:
            why = "its timeframe is buffer_time, which is in another file: 15m is written, as in ElastAlert's example"
            self._report.differs(self._section.spot_of("type"), why, "set timeframe to your buffer_time")
        return found or "15m"

    def _topics(self) -> list[str]:
        """An index as the topic that is called as it without its date."""
        found = []
        for index in (self._section.take("index", text) or "").split(","):
            topic = _INDEX.sub("", index.strip())
            if _TOPIC.fullmatch(topic) and topic not in (".", "..", "_all"):
                why = f"index {index.strip()!r} is taken for topic {topic!r}"
                self._report.differs(self._section.spot_of("index"), why, "change `topics` where it has another name")
                found.append(topic)
            elif index.strip() not in ("", "*", "_all"):
                why = f"no topic can be called {index.strip()!r}, so all are counted"
                self._report.left(self._section.spot_of("index"), why, "name the topics in `topics`")
                return []
        return list(dict.fromkeys(found))

    def _matchers(self) -> list[str]:
        found: list[str] = []
        for field in self._source.filters:
            self._report.take(field.document.file, field.steps)
            try:
                found += filter_matchers(field.value or [])
            except ValueError as error:
                self._lose(field.spot, str(error), f"{_BY_HAND}, with matchers on labels that the records have")
        return list(dict.fromkeys(found))

    def _fields(self, keys: list[str]) -> list[list[str]]:
        """What is new together: each field by itself, those of an inner list as one."""
        said = self._section.take("fields", anything)
        if said is None:
            return [keys]
        if "query_key" in self._section.fields:
            why = "a new_term rule looks at its fields only, in ElastAlert too"
            self._report.left(self._section.spot_of("query_key"), why, NOTHING)
        try:
            return [label_names(each) for each in (said if isinstance(said, list) else [said])] or [[]]
        except ValueError as error:
            self._lose(self._section.spot_of("fields"), str(error))
            return [[]]

    def _labels(self, keys: list[str]) -> dict[str, str]:
        """Who and how urgent, as labels that routes can match."""
        found: dict[str, str] = {}
        for name in ("priority", "owner", "category"):
            value = self._section.take(name, text)
            if value and name in keys:
                self._report.left(self._section.spot_of(name), "records set this label", NOTHING)
            elif value:
                found[name] = value
        if "priority" in found:
            why = "it is a label that routes can match; PagerDuty, and chains, go by the label `severity`"
            spot = self._section.spot_of("priority")
            self._report.differs(spot, why, "add `severity: critical` or another to labels")
        return found

    def _count_labels(self, value: Mapping[str, Any]) -> None:
        """What must be in topics.yaml for records to have these labels."""
        topics = value.get("topics", [])
        where = f"the topics {', '.join(topics)}" if topics else "every topic"
        counted = {
            "filter": _names(value.get("matchers", [])),
            "match_bucket_filter": _names(value.get("match_bucket_filter", [])),
            **{name: value.get(name, []) for name in ("query_key", "fields")},
            "cardinality_field": [value["cardinality_field"]] if "cardinality_field" in value else [],
        }
        for name, label in [(name, label) for name, labels in counted.items() for label in labels]:
            if is_count_label(label):
                why = f"records have the label {label!r} only where topics.yaml says so"
                do = f"add count_labels: [{label}] to {where} in topics.yaml"
                self._report.differs(self._section.spot_of(name), why, do)

    def _read(self, name: str, read: Reader) -> Any:
        """A field that the rule counts by: it is lost with it."""
        try:
            return self._section.value(name, read)
        except ValueError as error:
            self._lose(self._section.spot_of(name), str(error))
            return None

    def _is_good(self, value: dict[str, Any]) -> bool:
        try:
            _RULE.validate_python(value)
        except ValueError as error:
            self._report.left(self._section.spot, complaint(error), _BY_HAND)
            return False
        return True

    def _unused(self, name: str) -> str:
        number, free = 1, name
        while free in self._names:
            number += 1
            free = f"{name} {number}"
        if free != name:
            why = f"a second rule named {name!r}: it is called {free!r}"
            self._report.differs(self._section.spot_of("name"), why, "rename it as you like")
        self._names.add(free)
        return free

    def _lose(self, spot: Spot, why: str, do: str = _BY_HAND) -> None:
        self._report.left(spot, why, do)
        self._off = True


def _names(matchers: list[str]) -> list[str]:
    """The labels that matchers are about."""
    return list(dict.fromkeys(each.name for matcher in matchers for each in parse_matchers(matcher)))
