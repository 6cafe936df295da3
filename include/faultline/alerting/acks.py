"""Which alert somebody means who takes one on."""

from __future__ import annotations

from collections.abc import Iterable

from faultline.alerting.alerts import Alert
from faultline.alerting.notation import parse_alert
from faultline.errors import PermanentError
from faultline.yaml_files import nearest

_SHORTEST_ID = 4
_MOST = 5


def find_to_ack(alerts: Iterable[Alert], text: str) -> Alert:
    """The alert that fires, acknowledged already or not, and that ``text`` means.

    That is a name, with as many labels as tell it from others, or the start of an episode's id. ValueError when it is
    neither, PermanentError when it means no alert that fires, or several.
    """
    live = [alert for alert in alerts if alert.live]
    meant = _meant(live, text)
    if not meant:
        rule = parse_alert(text).rule
        raise PermanentError(f"no alert {text!r} goes on{nearest(rule, {alert.key.rule for alert in live} - {rule})}")
    sounding = [alert for alert in meant if alert.sounding] or [sounding_only(meant[0])]
    if len(sounding) > 1:
        names = ", ".join(str(alert.key) for alert in sounding[:_MOST]) + (" …" if len(sounding) > _MOST else "")
        raise PermanentError(f"{text!r} means {len(sounding)} alerts that fire, name one: {names}")
    return sounding[0]


def sounding_only(alert: Alert) -> Alert:
    """The alert; PermanentError when receivers are not told of it."""
    if not alert.sounding:
        raise PermanentError(f"{alert.key} is {alert.state}: only what fires can be acknowledged")
    return alert


def _meant(live: list[Alert], text: str) -> list[Alert]:
    key = parse_alert(text)
    named = [alert for alert in live if alert.key.rule == key.rule and key.labels.items() <= alert.key.labels.items()]
    if named or len(text) < _SHORTEST_ID:
        return named
    return [alert for alert in live if alert.episode.startswith(text)]
