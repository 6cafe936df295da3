"""Heartbeats of the alert lane: sent after an evaluation has been recorded, and only then."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from datetime import datetime

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.receivers.heartbeat import Heartbeat

log = logging.getLogger(__name__)


class Heartbeats:
    """When each heartbeat was last sent; one that is slow delays no evaluation and no other."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._last: dict[str, datetime] = {}
        self._under_way: dict[str, Future[Delivery]] = {}

    def after_evaluation(self, heartbeats: Mapping[str, Heartbeat], at: datetime, watermark: datetime | None) -> None:
        """Send those that are due, if the evaluation saw recent counts."""
        for name, heartbeat in heartbeats.items():
            if self._is_under_way(name) or (name in self._last and at - self._last[name] < heartbeat.every):
                continue
            if watermark is not None and heartbeat.is_well(at, watermark):
                self._last[name] = at
                self._under_way[name] = self._executor.submit(heartbeat.beat, at, watermark)

    def _is_under_way(self, name: str) -> bool:
        future = self._under_way.get(name)
        if future is None or not future.done():
            return future is not None
        delivery = self._under_way.pop(name).result()
        if delivery.status != DeliveryStatus.DELIVERED:
            log.warning("heartbeat %s: %s %s", name, delivery.provider_code, delivery.provider_message)
        return False
