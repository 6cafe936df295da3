"""The shape of ``topics.yaml``: how each topic's records read, and what becomes of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from faultline.durations import PositiveDuration, parse_zone
from faultline.line_patterns import COMBINED, group_names, nginx_pattern
from faultline.yaml_files import StrictModel, load_yaml, nearest

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def _several(names: object) -> object:
    return (names,) if isinstance(names, str) else names


# The names of a record's fields, tried in order; one may stand without its list.
FieldNames = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several)]


class TopicFields(StrictModel):
    """Names of the record's fields, tried in order; defaults cover Logstash V0 and V1, ECS and common JSON."""

    timestamp: FieldNames = ("@timestamp", "timestamp", "time", "ts")
    level: FieldNames = ("levelname", "level", "log.level", "severity")
    service: FieldNames = ("appName", "service.name", "service", "app")
    environment: FieldNames = ("environment", "service.environment", "env")
    host: FieldNames = ("@source_host", "source_host", "host.name", "host", "hostname")
    logger: FieldNames = ("name", "logger", "log.logger", "logger_name")
    message: FieldNames = ("@message", "message", "msg")
    exception_type: FieldNames = ("exc_type", "error.type", "exception_type")
    stack_trace: FieldNames = ("exc_info", "exception", "error.stack_trace", "stack_trace")
    record_id: FieldNames = ("record_id", "event.id")


def _topic_name(name: str) -> str:
    """A name Kafka takes; anything else would never be found, and name a folder outside the archive's."""
    if name in (".", "..") or not _TOPIC_NAME.fullmatch(name):
        raise ValueError(f"not a topic's name: {name!r}; letters, digits, '.', '_' and '-', at most 249")
    return name


def _pattern(pattern: str) -> str:
    group_names(pattern)
    return pattern


def _level_word(word: object) -> object:
    return str(word).strip().upper() if isinstance(word, str | int) else word


Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level_word)]


class TopicConfig(StrictModel):
    """One topic of ``topics.yaml``: how its records read and which fields rules may count by."""

    name: Annotated[str, AfterValidator(_topic_name)]
    format: Literal["auto", "json", "nginx", "text"] = "auto"
    log_format: str | None = Field(default=None, description="nginx's log_format; its combined format unless given")
    patterns: tuple[Annotated[str, AfterValidator(_pattern)], ...] = Field(
        default=(),
        description="of text lines, with (?P<named>…) groups in RE2's syntax; the first that matches is taken",
    )
    levels: dict[Annotated[str, BeforeValidator(_level_word)], Level] = Field(
        default={}, description="what words and numbers mean that have another meaning, or none, elsewhere"
    )
    timezone: str | None = Field(default=None, description="of times without an offset; UTC unless given")
    service: str | None = Field(default=None, description="service of records that do not name one")
    environment: str | None = Field(default=None, description="environment of records that do not name one")
    fields: TopicFields = TopicFields()
    count_labels: tuple[str, ...] = Field(default=(), description="further record fields that rules may use as labels")
    archive: bool = True
    count: bool = True
    retention: PositiveDuration | None = Field(
        default=None, description="how long whole hours are kept in the archive; unset: for ever"
    )
    lost_records: Literal["fail", "record_gap"] = Field(
        default="fail", description="what to do when Kafka deletes records before they are archived"
    )

    @field_validator("log_format")
    @classmethod
    def _is_nginx(cls, log_format: str, info: ValidationInfo) -> str:
        if info.data.get("format", "nginx") != "nginx":
            raise ValueError("goes with `format: nginx`")
        nginx_pattern(log_format)
        return log_format

    @field_validator("patterns")
    @classmethod
    def _is_text(cls, patterns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("format", "text") != "text":
            raise ValueError("go with `format: text`")
        return patterns

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        parse_zone(timezone)
        return timezone

    @field_validator("fields")
    @classmethod
    def _fields_are_in_the_line(cls, fields: TopicFields, info: ValidationInfo) -> TopicFields:
        named = (name for column in sorted(fields.model_fields_set) for name in getattr(fields, column))
        _check_line_names(named, info.data)
        return fields

    @field_validator("count_labels")
    @classmethod
    def _labels_are_in_the_line(cls, labels: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _check_line_names(labels, info.data)
        return labels


def line_names(format: str, log_format: str | None, patterns: Sequence[str]) -> frozenset[str] | None:
    """What a line of an nginx or text topic can hold, by name; None for JSON, which can hold anything."""
    if format == "nginx":
        found = group_names(nginx_pattern(log_format) if log_format else COMBINED)
        return frozenset(found) | ({"method", "path"} if "request" in found else set())
    if format == "text":
        return frozenset(name for pattern in patterns for name in group_names(pattern))
    return None


def _check_line_names(names: Iterable[str], topic: Mapping[str, Any]) -> None:
    if not {"format", "log_format", "patterns"} <= topic.keys():
        return  # their own faults come first
    known = line_names(topic["format"], topic["log_format"], topic["patterns"])
    for name in names:
        if known is not None and name not in known:
            raise ValueError(f"no line of this format has {name!r}{nearest(name, known)}")


class TopicsFile(StrictModel):
    """The shape of ``topics.yaml``."""

    topics: tuple[TopicConfig, ...]

    @field_validator("topics")
    @classmethod
    def _once_each(cls, topics: tuple[TopicConfig, ...]) -> tuple[TopicConfig, ...]:
        names = Counter(topic.name for topic in topics)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return topics


def load_topics(text: str, file: str = "topics.yaml") -> TopicsFile:
    """``topics.yaml`` from its text; ConfigurationError with every fault and its line."""
    return load_yaml(TopicsFile, text, file)
