from __future__ import annotations

from datetime import timedelta

import pytest

from faultline.alerting.routing import destinations, possible_receivers
from faultline.alerting.rulefile import Route
from faultline.alerting.rulekinds import FrequencyRule

TREE = Route.model_validate(
    {
        "receiver": "ops",
        "group_wait": "5s",
        "routes": [
            {"matchers": ['team="db"'], "receiver": "db", "group_wait": "1s"},
            {"matchers": ['severity="critical"'], "receiver": "managers", "continue": True},
            {
                "matchers": ['team=~"shop|web"'],
                "routes": [{"matchers": ['team="web"'], "receiver": "web"}],
            },
            {"matchers": ['severity="critical"'], "receiver": "managers", "group_wait": "9s"},
        ],
    }
)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        pytest.param({}, ["ops"], id="nothing-matches-so-the-root"),
        pytest.param({"team": "db", "severity": "critical"}, ["db"], id="the-first-match-wins"),
        pytest.param({"team": "web"}, ["web"], id="a-child-of-a-child"),
        pytest.param({"team": "shop"}, ["ops"], id="a-route-without-receiver-has-its-parents"),
        pytest.param({"team": "web", "severity": "critical"}, ["managers", "web"], id="continue-tries-the-next"),
        pytest.param({"severity": "critical"}, ["managers"], id="a-receiver-is-told-once"),
    ],
)
def test_where_an_alert_goes(labels: dict[str, str], receivers: list[str]) -> None:
    assert [destination.receiver for destination in destinations(TREE, labels)] == receivers


def test_waits_are_inherited_and_may_be_set_nearer() -> None:
    waits = {labels: destinations(TREE, {"team": labels})[0].group_wait for labels in ("web", "db")}
    assert waits == {"web": timedelta(seconds=5), "db": timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("labels", "query_key", "receivers"),
    [
        pytest.param({}, [], ["ops"], id="nothing-can-match-so-the-root"),
        pytest.param({"team": "db"}, [], ["db"], id="what-must-match-is-all"),
        pytest.param({}, ["team"], ["db", "web", "ops"], id="a-label-of-records-may-be-anything"),
        pytest.param({"severity": "critical"}, ["team"], ["db", "managers", "web", "ops"], id="all-that-may"),
        pytest.param({"team": "shop"}, ["severity"], ["managers", "ops"], id="no-receiver-is-the-parents"),
    ],
)
def test_where_alerts_of_a_rule_may_go(labels: dict[str, str], query_key: list[str], receivers: list[str]) -> None:
    rule = FrequencyRule(alert="R", num_events=1, timeframe="1m", labels=labels, query_key=query_key)
    assert list(possible_receivers(TREE, rule)) == receivers
