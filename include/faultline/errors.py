"""The error taxonomy: every error says whether trying again can help.

Knows nothing of retries themselves; Airflow and the adapters act on the type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faultline.model import OffsetRange


class FaultlineError(Exception):
    """Base of every error Faultline raises on purpose."""


class TransientError(FaultlineError):
    """The world is in the way (broker down, HDFS in safe mode, database locked): try again later."""


class PermanentError(FaultlineError):
    """Trying again cannot help; the message says what to do."""


class LostRange(PermanentError):
    """Kafka no longer holds offsets that were never archived; ``ranges`` has exactly these."""

    def __init__(self, ranges: Sequence[OffsetRange]) -> None:
        self.ranges = tuple(ranges)
        lost = ", ".join(f"{span} ({len(span)} offsets)" for span in self.ranges)
        super().__init__(f"Kafka no longer holds {lost}: deleted by retention before they were read")


class TopicMissing(PermanentError):
    """Kafka has no topic of this name (yet)."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        super().__init__(f"there is no topic {topic!r}")


class Superseded(FaultlineError):
    """Another writer holds the position or the lease; this one must stop and has written nothing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a file a person wrote: ``file:line: message``; ``line`` counts from 1, 0 when it is not known."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ConfigurationError(PermanentError):
    """A configuration file or setting is wrong; ``faults`` has every fault found, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
