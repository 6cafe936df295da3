"""One episode explained, as ``faultline why`` does: its counts, what happened, what kept it back, who was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, HTTPException, Response

from faultline.alerting.alerts import Alert
from faultline.alerting.matchers import matches_all
from faultline.alerting.silences import StoredSilence
from faultline.dispatch.conclusion import judge
from faultline.dispatch.links import instant, query_of
from faultline.dispatch.story import History, time_line
from faultline.page.asked import AskedNow
from faultline.page.lanes import columns
from faultline.page.texts import Texts
from faultline.steps.why import find_why

router = APIRouter()

_AROUND = timedelta(minutes=1)
# Of a longer story the beginning and the end of the counts are listed; the drawing has all of them.
ENDS = 15
_OTHERS = 20
_MESSAGES = 200


@router.get("/history/episode")
def episode(asked: AskedNow, id: str = "") -> Response:
    """The story of an episode."""
    if not id:
        return asked.go("/history")
    database = asked.database
    alert = database.alerts_of([id]).get(id)
    if alert is None:
        raise HTTPException(404, asked.texts("history.no_episode"))
    why = find_why(asked.settings, database, alert, now=asked.at)
    others = database.episodes(alert.key.rule, alert.key.labels, limit=_OTHERS + 1)
    return asked.render(
        "episode.html.j2",
        alert=alert,
        why=why,
        conclusion=conclude(asked.texts, why.history),
        events=time_line(why.history),
        columns=columns(why.counts, why.bucket),
        ends=ENDS,
        other_threshold=any(
            why.rule and sent.notification.alert.threshold != why.rule.threshold for sent in why.history.sent
        ),
        silences=_silences(database.silences(alert.starts_at), alert, asked.at),
        messages=database.messages_of([id], _MESSAGES),
        records=_records(alert, asked.at),
        others=[other for other in others if other.episode != id and other.key == alert.key],
    )


def conclude(texts: Texts, history: History) -> str:
    """The answer in a sentence of the page's language; what was recorded is as it was."""
    return " ".join(
        texts(f"history.conclusion.{remark.verdict}", **_spoken(texts, remark.places)) for remark in judge(history)
    )


def _spoken(texts: Texts, places: Mapping[str, str]) -> dict[str, str]:
    words = {"state": "states", "kept": "history.reasons"}
    return {name: texts(f"{words[name]}.{text}") if name in words else text for name, text in places.items()}


def _silences(stored: Iterable[StoredSilence], alert: Alert, now: datetime) -> list[StoredSilence]:
    """Those that the alert matched while it went on."""
    return [
        each
        for each in stored
        if each.silence.starts_at <= (alert.over_at or now) and matches_all(each.silence.parsed, alert.labels)
    ]


def _records(alert: Alert, now: datetime) -> Mapping[str, Any]:
    """The search for the episode's records."""
    labels = {name: value for name, value in alert.key.labels.items() if value}
    return {
        "q": query_of(labels),
        "since": instant((alert.first_seen or alert.starts_at) - _AROUND),
        "until": instant((alert.last_seen or alert.over_at or now) + _AROUND),
        "topic": labels.get("topic"),
    }
