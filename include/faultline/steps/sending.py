"""Sending outside of an evaluation: a message that tests a receiver."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from faultline.alerting.rules import load_rules
from faultline.dispatch.delivery import Delivery
from faultline.dispatch.meta import meta_notification
from faultline.dispatch.receivers import build_receivers
from faultline.dispatch.secrets import Connections, environment_connection
from faultline.errors import PermanentError
from faultline.model import Notification
from faultline.settings import Settings
from faultline.yaml_files import nearest


def send_test(
    settings: Settings, receiver: str, *, at: datetime, connections: Connections = environment_connection
) -> list[tuple[str, Delivery]]:
    """What each channel of the receiver answered to a marked test message; PermanentError when there is no such one."""
    document = settings.document("rules")
    rules = load_rules(document.text, document.source)
    receivers = build_receivers(rules, connections, settings.ui_url)
    if receiver not in receivers:
        known = ", ".join(receivers)
        raise PermanentError(f"no receiver {receiver!r}{nearest(receiver, receivers)}; there are {known}")
    notification = make_test_message(receiver, at)
    return [(channel.target, channel.send(notification)) for channel in receivers[receiver]]


def make_test_message(receiver: str, at: datetime) -> Notification:
    """A message that nobody takes for an alert."""
    summary = "This is a test message of Faultline. Nothing is wrong, and nothing needs to be done."
    identity = f"test:{at:%Y-%m-%dT%H:%M:%S}"
    made = meta_notification("NotifyTest", {"severity": "info"}, summary, identity=identity, receiver=receiver, at=at)
    return replace(made, reason="faultline notify-test")
