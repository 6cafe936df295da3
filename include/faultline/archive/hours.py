"""An hour of event time, UTC: what a ``dt=/hr=`` partition of a table holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, order=True)
class Hour:
    """``[start, start + 1 h)``."""

    start: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.start != self.start.replace(
            minute=0, second=0, microsecond=0
        ):
            raise ValueError(f"not the start of an hour in UTC: {self.start}")

    @classmethod
    def of(cls, dt: str, hr: str) -> Self:
        """The hour of partition values as ``2026-11-22`` and ``05``."""
        return cls(datetime.strptime(f"{dt}T{hr}", "%Y-%m-%dT%H").replace(tzinfo=UTC))

    @classmethod
    def of_file(cls, path: str) -> Self:
        """The hour of a file by its path below the table's, ``dt=…/hr=…/…``."""
        dt, hr, _ = path.split("/", 2)
        return cls.of(dt.removeprefix("dt="), hr.removeprefix("hr="))

    @property
    def end(self) -> datetime:
        """Where the next one begins."""
        return self.start + _HOUR

    @property
    def dt(self) -> str:
        """The day, as in ``2026-11-22``."""
        return f"{self.start:%Y-%m-%d}"

    @property
    def hr(self) -> str:
        """The hour of the day, ``00`` to ``23``."""
        return f"{self.start:%H}"

    @property
    def folder(self) -> str:
        """Below the table's."""
        return f"dt={self.dt}/hr={self.hr}"

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%dT%H}"
