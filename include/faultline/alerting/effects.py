"""Who each alert explains, and the chains that nobody was told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faultline.alerting.alerts import Alert, MuteReason
from faultline.model import AlertKey, AlertState


@dataclass(frozen=True, slots=True)
class DarkChain:
    """A root that is silenced, or muted for the hour, and what it explains: an outage that nobody is told of."""

    root: AlertKey
    reason: MuteReason
    effects: tuple[AlertKey, ...]


def dark_chains(alerts: Mapping[str, Alert], effects: Mapping[str, list[str]]) -> list[DarkChain]:
    """Every chain whose root is kept quiet by a person or the hour, for the digest."""
    quiet = (MuteReason.SILENCE, MuteReason.MUTE_TIME)
    return [
        DarkChain(alert.key, alert.mute, tuple(alerts[each].key for each in effects[episode]))
        for episode, alert in alerts.items()
        if alert.state is AlertState.SUPPRESSED and alert.mute in quiet and effects.get(episode)
    ]


def effects_by_cause(alerts: Iterable[Alert]) -> dict[str, list[str]]:
    """For each episode those it explains, ended ones too, in the order of their starts.

    Also those it explains only by way of another: an effect may have cleared before the cause of its cause was seen.
    """
    known = {alert.episode: alert for alert in alerts}
    ancestors: dict[str, set[str]] = {}
    effects: dict[str, list[str]] = {}
    for episode, _ in sorted(known.items(), key=lambda item: (item[1].starts_at, item[0])):
        for cause in _ancestors(episode, known, ancestors):
            effects.setdefault(cause, []).append(episode)
    return effects


def _ancestors(episode: str, known: Mapping[str, Alert], found: dict[str, set[str]]) -> set[str]:
    """Every episode on the ways up from this one; ``found`` remembers what was asked before.

    Two rules files, one after the other, may have made each of two alerts a cause of the other.
    """
    if episode not in found:
        mine = found[episode] = set[str]()
        for cause in known[episode].causes if episode in known else ():
            mine |= {cause.episode} | _ancestors(cause.episode, known, found)
        mine.discard(episode)
    return found[episode]
