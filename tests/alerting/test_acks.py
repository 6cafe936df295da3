"""Which alert is meant by what somebody types who takes one on."""

from __future__ import annotations

import pytest

from faultline.alerting.acks import find_to_ack
from faultline.alerting.alerts import Alert
from faultline.errors import PermanentError
from faultline.model import AlertKey, AlertState, Labels
from tests.alerting.stage import START


def alert(rule: str, state: AlertState = AlertState.FIRING, **labels: str) -> Alert:
    return Alert(AlertKey(rule, Labels(labels)), state, Labels(labels), START)


DOWN, ACKED = alert("Down", host="a", environment="prod"), alert("Slow", AlertState.ACKED)
HELD, OVER = alert("Slow", AlertState.HELD, host="b"), alert("Over", AlertState.RESOLVED)
LOST = [alert("Lost", host=f"h{number}") for number in range(7)]
ALERTS = [DOWN, ACKED, HELD, OVER, *LOST, alert("Muted", AlertState.SUPPRESSED)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Down", DOWN),
        ('Down{host="a"}', DOWN),
        ("Slow", ACKED),
        ('Lost{host="h3"}', LOST[3]),
        (DOWN.episode, DOWN),
        (DOWN.key.id[:4], DOWN),
    ],
    ids=["name", "some labels", "the one that fires, and is acked", "labels", "episode", "start of the id"],
)
def test_it_is_the_one_that_fires(text: str, meant: Alert) -> None:
    assert find_to_ack(ALERTS, text) is meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Dwn", r"no alert 'Dwn' goes on; did you mean 'Down'\?"),
        ('Down{host="b"}', r"no alert 'Down{host=\"b\"}' goes on$"),
        ("Over", "no alert 'Over' goes on"),
        (DOWN.key.id[:3], "goes on"),
        ("Muted", "Muted is suppressed: only what fires can be acknowledged"),
        ("Lost", r"'Lost' means 7 alerts that fire, name one: Lost{host=\"h0\"}.*h4\"} …$"),
    ],
    ids=["another name", "other labels", "over", "too short an id", "suppressed", "several"],
)
def test_what_means_none_or_several_says_so(text: str, why: str) -> None:
    with pytest.raises(PermanentError, match=why):
        find_to_ack(ALERTS, text)


def test_what_is_no_alert_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="not an alert"):
        find_to_ack(ALERTS, "Down{")
