"""A heartbeat: a POST to an address that raises an alarm of its own when none comes any more.

Such as healthchecks.io, Dead Man's Snitch, or Alertmanager's kind of watchdog. It says nothing but that all is well.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from faultline.dispatch.delivery import Delivery
from faultline.dispatch.http import LIMITS, Limits, Request, by_status, deliver
from faultline.dispatch.secrets import Secret


class Heartbeat:
    """One address, and how often it is to hear of us. ``max_lag``: how far behind the clock counting may be."""

    def __init__(self, target: str, url: Secret, every: timedelta, max_lag: timedelta, limits: Limits = LIMITS) -> None:
        self.target = target
        self.every = every
        self._url = url
        self._max_lag = max_lag
        self._limits = limits

    def is_well(self, at: datetime, watermark: datetime | None) -> bool:
        """Whether an evaluation at that time saw counts that are recent: one of old counts would miss what happens."""
        return watermark is not None and at - watermark <= self._max_lag

    def beat(self, at: datetime, watermark: datetime) -> Delivery:
        """Try once; any answer of success will do."""
        body = {"status": "ok", "evaluated_at": at.isoformat(), "watermark": watermark.isoformat()}
        return deliver(lambda: Request(self._url.read(), body), by_status, self._limits)
