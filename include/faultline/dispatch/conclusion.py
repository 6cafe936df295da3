"""Who was told of an episode, or why nobody was: the answer to ``faultline why`` as values, and in English."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from faultline.alerting.alerts import MuteReason
from faultline.dispatch.delivery import OutboxState, Sent
from faultline.dispatch.story import History
from faultline.model import AlertState, NotificationKind


class Verdict(StrEnum):
    """What there is to say; of an episode that goes on ``is_``, of one that is over ``was_``."""

    TOLD = "told"
    CORRECTED = "corrected"
    WAITS = "waits"
    NOBODY = "nobody"
    TOO_SHORT = "too_short"
    GIVEN_UP = "given_up"
    GROUPED = "grouped"
    NOT_YET = "not_yet"
    NO_CHANNELS = "no_channels"
    ENDED = "ended"
    IS_KEPT = "is_kept"
    WAS_KEPT = "was_kept"
    IS_EXPLAINED = "is_explained"
    WAS_EXPLAINED = "was_explained"
    NAMED = "named"
    UNNAMED = "unnamed"


# Also what the page says, where its language is English.
ENGLISH = {
    Verdict.TOLD: "Told: {targets}.",
    Verdict.CORRECTED: "Told: {targets}; then corrected: with records that came late it was no alert.",
    Verdict.WAITS: "Nobody has been told yet: its message waits to be sent to {targets}.",
    Verdict.NOBODY: "Nobody was told.",
    Verdict.TOO_SHORT: "Nobody was told: it began and ended before a message could be sent.",
    Verdict.GIVEN_UP: "Given up for {targets}: {answer}.",
    Verdict.GROUPED: "Nobody has been told yet: its route's group_wait is not over, or its receiver has no channels.",
    Verdict.NOT_YET: "Nobody has been told yet: it is {state} ({reason}).",
    Verdict.NO_CHANNELS: "Nobody was told: it was firing, but no message was made; its receiver has no channels.",
    Verdict.ENDED: "Nobody was told: it is {state} ({reason}).",
    Verdict.IS_KEPT: "Nobody was told: it is kept back by a {kept}.",
    Verdict.WAS_KEPT: "Nobody was told: it was kept back by a {kept}.",
    Verdict.IS_EXPLAINED: "Nobody was told of it by itself: it is explained by {cause};",
    Verdict.WAS_EXPLAINED: "Nobody was told of it by itself: it was explained by {cause};",
    Verdict.NAMED: "a message about its cause names it, sent to {targets}.",
    Verdict.UNNAMED: "no message that was delivered names it.",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """A part of the answer; ``places`` are ``targets``, ``answer``, ``state``, ``reason``, ``kept`` and ``cause``."""

    verdict: Verdict
    places: Mapping[str, str] = field(default_factory=dict)


def conclude(history: History) -> str:
    """The answer in a sentence: who was told, or why nobody was."""
    return " ".join(map(_in_english, judge(history)))


def judge(history: History) -> list[Remark]:
    """The answer."""
    pages = [each for each in history.sent if each.notification.kind is not NotificationKind.RESOLVED]
    delivered = _targets(each for each in pages if each.delivered)
    dead = [each for each in pages if each.state is OutboxState.DEAD]
    waiting = _targets(each for each in pages if each.waits)
    lost = [_remark(Verdict.GIVEN_UP, targets=_targets(dead), answer=dead[-1].answer or "no answer")] if dead else []
    if delivered:
        verdict = Verdict.CORRECTED if history.alert.corrected else Verdict.TOLD
        return [_remark(verdict, targets=delivered), *lost]
    if waiting:
        return [_remark(Verdict.WAITS, targets=waiting), *lost]
    if dead:
        return [_remark(Verdict.NOBODY), *lost]
    return [_remark(Verdict.TOO_SHORT)] if pages else list(_why_not_sent(history))


def _why_not_sent(history: History) -> Iterator[Remark]:
    alert = history.alert
    reason = history.transitions[-1].reason if history.transitions else "no transition is recorded"
    if alert.sounding:
        yield _remark(Verdict.GROUPED)
    elif alert.live and not alert.muted:
        yield _remark(Verdict.NOT_YET, state=alert.state, reason=reason)
    elif any(step.target is AlertState.FIRING for step in history.transitions):
        yield _remark(Verdict.NO_CHANNELS)
    elif not history.suppressions:
        yield _remark(Verdict.ENDED, state=alert.state, reason=reason)
    else:
        yield from _why_kept(history)


def _why_kept(history: History) -> Iterator[Remark]:
    row, live = history.suppressions[-1], history.alert.live
    if row.reason is not MuteReason.CHAIN or not row.causes:
        yield _remark(Verdict.IS_KEPT if live else Verdict.WAS_KEPT, kept=row.reason)
        return
    yield _remark(Verdict.IS_EXPLAINED if live else Verdict.WAS_EXPLAINED, cause=str(row.causes[0].alert))
    told = _targets(each for each in history.named if each.delivered)
    yield _remark(Verdict.NAMED, targets=told) if told else _remark(Verdict.UNNAMED)


def _in_english(remark: Remark) -> str:
    places = {name: text.replace("_", " ") if name == "kept" else text for name, text in remark.places.items()}
    return ENGLISH[remark.verdict].format(**places)


def _remark(verdict: Verdict, **places: str) -> Remark:
    return Remark(verdict, places)


def _targets(sent: Iterable[Sent]) -> str:
    return ", ".join(dict.fromkeys(each.target for each in sent))
