"""What the user configures: ``Settings`` from the environment, ``topics.yaml``, and how a YAML file becomes a model.

Every fault in a file is reported as ``file:line: message``, all of them at once.
"""

from __future__ import annotations

import difflib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from faultline.errors import ConfigurationError, Fault
from faultline.line_patterns import COMBINED, group_names, nginx_pattern

# What ruamel lets out for values it cannot make sense of, such as the date 2026-13-45 or a tag on the wrong kind.
_RUAMEL_FAULTS = (ValueError, LookupError, TypeError, AttributeError, RecursionError)

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)
# A time so long ago can still be written down: whoever subtracts a duration need not think of the year 0.
_LONGEST = 100 * _UNITS["y"]


def parse_duration(text: object) -> timedelta:
    """A Prometheus duration (``30s``, ``1h30m``, ``0``) as a timedelta; ValueError says what is expected."""
    if isinstance(text, timedelta):
        return text
    if text == 0 or text == "0":
        return timedelta(0)
    if not isinstance(text, str) or not text or _DURATION.sub("", text):
        raise ValueError(f"not a duration: {text!r}; write a number and a unit, such as 30s, 5m or 1h30m")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
    if seconds > _LONGEST:
        raise ValueError(f"too long a duration: {text!r}; the longest is 100y")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """The shortest Prometheus duration that means the same, such as ``1h30m``."""
    milliseconds = round(value.total_seconds() * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        number, milliseconds = divmod(milliseconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0")
    return value


def _grace(value: timedelta) -> timedelta:
    """Delta itself forgets after a week which files were in a table."""
    if not timedelta(hours=1) <= value <= timedelta(days=7):
        raise ValueError("must be between 1h and 7d")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]


def _in_utc(value: object) -> object:
    """YAML's times without a zone are in UTC, and ruamel turns those with one into such."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Instant = Annotated[AwareDatetime, BeforeValidator(_in_utc)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]


class Settings(BaseSettings):
    """Where things are and how much to take at once. Each field is the environment variable ``FAULTLINE_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="FAULTLINE_", frozen=True, extra="forbid")

    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_properties: dict[str, str] = Field(default={}, description="further librdkafka properties, as JSON")
    archive_url: str = Field(default="hdfs://localhost:8020/faultline", description="root of the tables, any Delta URL")
    webhdfs_url: str | None = Field(default=None, description="http://namenode:9870, for health and capacity")
    database_url: str = Field(default="sqlite:///faultline.db", description="any SQLAlchemy URL")
    rules_file: Path = Path("rules.yaml")
    topics_file: Path = Path("topics.yaml")
    ui_url: str | None = Field(default=None, description="address of Faultline's page, for links in messages")

    archive_group_partitions: int = Field(default=8, ge=1, description="topic partitions appended by one mapped task")
    archive_batch_rows: int = Field(default=1_000_000, ge=1, description="an append commits after so many records")
    archive_batch_bytes: int = Field(default=256 * 2**20, ge=1, description="or so many bytes of them")
    archive_batch_time: PositiveDuration = Field(default=timedelta(seconds=30), description="or so much time")
    archive_patience: Duration = Field(
        default=timedelta(minutes=1), description="how long a task itself tries again while HDFS or Kafka is away"
    )
    archive_lateness: Duration = Field(
        default=timedelta(minutes=10), description="an hour is closed, and may be complete, so long after its end"
    )
    archive_grace: Annotated[Duration, AfterValidator(_grace)] = Field(
        default=timedelta(days=1), description="how long files that left a table stay for those who read them"
    )
    compact_target_mib: int = Field(default=256, ge=1, le=1024, description="size of a merged file")
    compact_memory_bytes: int = Field(
        default=512 * 2**20, ge=2**20, description="memory for sorting; what does not fit goes to a temporary file"
    )
    event_time_span: Duration = Field(
        default=timedelta(days=7),
        description="event times farther than this from Kafka's timestamp do not choose the partition",
    )
    count_bucket: PositiveDuration = Field(default=timedelta(seconds=10), description="width of an event-time bucket")
    count_batch_rows: int = Field(default=50_000, ge=1)
    count_batch_bytes: int = Field(default=64 * 2**20, ge=1)
    count_interval: PositiveDuration = Field(default=timedelta(seconds=1), description="pause between micro-batches")
    count_retention: Duration = Field(default=timedelta(days=8), description="how long counts are kept")
    allowed_lateness: Duration = timedelta(seconds=30)
    evaluation_interval: PositiveDuration = Field(default=timedelta(seconds=1), description="pause between evaluations")
    task_budget: PositiveDuration = Field(
        default=timedelta(minutes=5), description="how long one run of watch_errors lasts"
    )


def load_settings(text: str, source: str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The environment's settings, over them those of a YAML or JSON object, over them ``overrides`` of a run.

    ConfigurationError with every fault; ``source`` names the object in it.
    """
    Settings()  # what is wrong in the environment must not be blamed on the object
    if not isinstance(data := parse_yaml(text, source), Mapping):
        raise ConfigurationError([Fault(source, 1, "not an object of settings, such as {archive_batch_rows: 100000}")])
    settings = load_yaml(Settings, text, source)
    if not overrides:
        return settings
    return load_yaml(Settings, json.dumps({**_plain(data), **overrides}), "Params")


class StrictModel(BaseModel):
    """Base of every model read from a file: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"not a time zone: {timezone!r}; a name such as Europe/Berlin or Asia/Shanghai") from None
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


Model = TypeVar("Model", bound=BaseModel)


def load_topics(text: str, file: str = "topics.yaml") -> TopicsFile:
    """``topics.yaml`` from its text; ConfigurationError with every fault and its line."""
    return load_yaml(TopicsFile, text, file)


def load_yaml(model: type[Model], text: str, file: str) -> Model:
    """Parse and validate YAML (or JSON) text; ConfigurationError with every fault and its line."""
    data = parse_yaml(text, file)
    try:
        return model.model_validate(_plain(data))
    except RecursionError:
        raise ConfigurationError([Fault(file, 1, "not YAML for us: an alias that contains itself")]) from None
    except ValidationError as error:
        raise ConfigurationError(
            [
                Fault(file, line_of(data, detail["loc"]), _sentence(model, _in_document(data, detail["loc"]), detail))
                for detail in error.errors()
            ]
        ) from None


def parse_yaml(text: str, file: str) -> Any:
    """The document with ruamel's line numbers kept; a syntax error is a ConfigurationError with its line."""
    try:
        return YAML(typ="rt").load(io.StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigurationError([Fault(file, line, f"not YAML: {error.problem}")]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError([Fault(file, line, f"not YAML: {error.reason}")]) from None
    except (YAMLError, *_RUAMEL_FAULTS) as error:
        raise ConfigurationError([Fault(file, 0, f"not YAML: {error}")]) from None


def line_of(data: Any, path: Sequence[str | int]) -> int:
    """The line, from 1, of the deepest part of ``path`` that is in the document."""
    line = 1
    for step in path:
        if isinstance(data, CommentedMap) and step in data:
            line = data.lc.key(step)[0] + 1
        elif isinstance(data, CommentedSeq) and isinstance(step, int) and step < len(data):
            # A sequence with a tag has no lines of its own.
            line = data.lc.item(step)[0] + 1 if data.lc.data else line
        else:
            continue
        data = data[step]
    return line


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'this'?`` for the known name most like an unknown one; empty when none is like it."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    return data


def _sentence(model: type[BaseModel], path: tuple[str | int, ...], detail: ErrorDetails) -> str:
    where = ".".join(str(step) for step in path)
    if detail["type"] == "extra_forbidden":
        return f"unknown field {path[-1]!r}{nearest(str(path[-1]), _field_names(model) - {path[-1]})}"
    if detail["type"] == "missing":
        return f"missing field {where!r}"
    if detail["type"] == "union_tag_invalid":
        tag, known = str(detail["ctx"]["tag"]), detail["ctx"]["expected_tags"].replace("'", "")
        return f"{where}: unknown type {tag!r}{nearest(tag, known.split(', '))}; there are {known}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _in_document(data: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The path without the names of the kinds that pydantic puts into it; the last step may be what is missing."""
    steps: list[str | int] = []
    for number, step in enumerate(path, 1):
        if isinstance(data, Mapping) and step in data:
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step] if step < len(data) else None
        elif number < len(path):
            continue
        steps.append(step)
    return tuple(steps)


def _field_names(model: type[BaseModel]) -> set[str]:
    """The names of every field in the model's JSON Schema, nested ones too."""
    schema = model.model_json_schema(mode="serialization")
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}
