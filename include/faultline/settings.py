"""``Settings``: where things are and how much to take at once, from the environment or an object that overrides it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr
from pydantic_settings import BaseSettings, SettingsConfigDict

from faultline.durations import Duration, PositiveDuration
from faultline.errors import ConfigurationError, Fault
from faultline.yaml_files import Document, load_yaml, parse_yaml, plain, read_document

Kind = Literal["rules", "topics"]

# Names of librdkafka's properties that hold one, and the part of a URL that does.
_CREDENTIAL = re.compile(r"password|secret|pem|token|username|jaas", re.IGNORECASE)
_USERINFO = re.compile(r"//[^/@]*@")


def _grace(value: timedelta) -> timedelta:
    """Delta itself forgets after a week which files were in a table."""
    if not timedelta(hours=1) <= value <= timedelta(days=7):
        raise ValueError("must be between 1h and 7d")
    return value


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
    archive_timeout: PositiveDuration = Field(
        default=timedelta(minutes=1), description="after so long without an answer from the archive's storage, give up"
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
    count_batch_rows: int = Field(default=100_000, ge=1)
    count_batch_bytes: int = Field(default=64 * 2**20, ge=1)
    count_interval: PositiveDuration = Field(default=timedelta(seconds=1), description="pause between micro-batches")
    count_retention: Duration = Field(default=timedelta(days=8), description="how long counts are kept")
    allowed_lateness: Duration = timedelta(seconds=30)
    evaluation_interval: PositiveDuration = Field(default=timedelta(seconds=1), description="pause between evaluations")
    digest_receiver: str | None = Field(default=None, description="who gets digests; the root route's unless set")
    digest_folder: Path | None = Field(default=None, description="where digests are also written, as HTML")
    stalled_after: PositiveDuration = Field(
        default=timedelta(minutes=10), description="without an evaluation for so long, archive_logs raises an alarm"
    )
    last_resort_receiver: str | None = Field(
        default=None, description="who is told without the database that it is away; the root route's unless set"
    )
    task_budget: PositiveDuration = Field(
        default=timedelta(minutes=5), description="how long one run of watch_errors lasts"
    )

    _documents: Mapping[Kind, Document] = PrivateAttr(default_factory=dict)

    def with_documents(self, documents: Mapping[Kind, Document]) -> Self:
        """The same settings with these texts, and no others, in place of the rules or the topics file."""
        settings = self.model_copy()
        settings._documents = dict(documents)
        return settings

    def document(self, kind: Kind) -> Document:
        """The rules or the topics, from what stands in for their file or from it; ConfigurationError without one."""
        return self._documents.get(kind) or read_document(self.rules_file if kind == "rules" else self.topics_file)


def without_credentials(text: str, source: str) -> str:
    """An object of settings as it may be shown: one line a field, passwords and what is like them masked."""
    return json.dumps(_masked(plain(parse_yaml(text, source))), indent=2, sort_keys=True, default=str)


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {str(key): _masked(each, str(key)) for key, each in value.items()}
    if _CREDENTIAL.search(name) and value:
        return "***"
    return _USERINFO.sub("//***@", value) if isinstance(value, str) else value


def load_settings(
    text: str,
    source: str,
    overrides: Mapping[str, Any] | None = None,
    connected: Mapping[str, Any] | None = None,
) -> Settings:
    """The environment's settings, over them those of Connections, over them those of a YAML or JSON object, over them
    ``overrides`` of a run.

    ConfigurationError with every fault; ``source`` names the object in it.
    """
    Settings()  # what is wrong in the environment must not be blamed on the object
    if not isinstance(data := parse_yaml(text, source), Mapping):
        raise ConfigurationError([Fault(source, 1, "not an object of settings, such as {archive_batch_rows: 100000}")])
    settings = load_yaml(Settings, text, source)
    if not overrides and not connected:
        return settings
    return load_yaml(Settings, json.dumps({**(connected or {}), **plain(data), **(overrides or {})}), "Params")
