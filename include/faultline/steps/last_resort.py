"""Telling people without the database: it is away, or whoever sends what is in it has stopped.

The message goes straight to the channels of one receiver. There is no outbox to remember that it was sent, so a file of
the machine does: nobody is told the same again within the hour.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from faultline.alerting.rules import Rules, load_rules
from faultline.dispatch.delivery import DeliveryStatus
from faultline.dispatch.meta import meta_notification
from faultline.dispatch.receivers import build_receivers
from faultline.dispatch.secrets import Connections, environment_connection
from faultline.errors import ConfigurationError
from faultline.model import utc_now
from faultline.settings import Settings

log = logging.getLogger(__name__)

PATIENCE, AGAIN_AFTER = timedelta(minutes=2), timedelta(hours=1)


@dataclass
class LastResort:
    """Tells people when the database has been away for two minutes; ``folder`` keeps the file that says so."""

    settings: Settings
    connections: Connections = environment_connection
    clock: Callable[[], datetime] = utc_now
    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    _since: datetime | None = None

    def answered(self) -> None:
        """The database answers."""
        self._since = None

    def failed(self, error: Exception) -> bool:
        """It did not answer; whether people were told of it now."""
        at = self.clock()
        self._since = self._since or at
        if at - self._since < min(PATIENCE, self.settings.task_budget / 2) or self._told_lately(at):
            return False
        since = f"{self._since:%Y-%m-%d %H:%M:%S} UTC"
        summary = f"The database does not answer since {since}: no alert is evaluated or sent. {error}"
        return self._tell(summary, at)

    def _tell(self, summary: str, at: datetime) -> bool:
        """Whether a channel took it; when none did, it is tried again."""
        try:
            document = self.settings.document("rules")
            rules = load_rules(document.text, document.source)
        except ConfigurationError as fault:
            log.error("nobody could be told that %s: %s", summary, fault)
            return False
        taken = send_directly(self.settings, rules, self.connections, "DatabaseUnreachable", summary, at=at)
        if taken:
            self._note(at)
        return taken

    @property
    def _file(self) -> Path:
        name = hashlib.sha256(self.settings.database_url.encode()).hexdigest()[:16]
        return self.folder / f"faultline-database-away-{name}"

    def _told_lately(self, at: datetime) -> bool:
        try:
            told = datetime.fromisoformat(self._file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return False
        return at - told < AGAIN_AFTER

    def _note(self, at: datetime) -> None:
        try:
            self._file.write_text(at.isoformat(), encoding="ascii")
        except OSError as error:
            log.warning("cannot note in %s that people were told: %s", self._file, error)


def send_directly(
    settings: Settings, rules: Rules, connections: Connections, alert: str, summary: str, *, at: datetime
) -> bool:
    """Send a message about ourselves to every channel of the last-resort receiver; whether one took it."""
    name = settings.last_resort_receiver or rules.file.route.receiver
    channels = build_receivers(rules, connections, settings.ui_url).get(name or "", ())
    if not channels:
        log.error("nobody could be told that %s: no receiver %r with a channel", summary, name)
    notification = meta_notification(
        alert, {}, summary, identity=f"{alert}:{at:%Y-%m-%dT%H}", receiver=name or "", at=at
    )
    taken = False
    for channel in channels:
        delivery = channel.send(notification)
        log.warning("%s told %s: %s", alert, channel.target, delivery.status)
        taken |= delivery.status == DeliveryStatus.DELIVERED
    return taken
