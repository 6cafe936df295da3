from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter

from faultline.alerting.alerts import Alert, Suppression
from faultline.alerting.templates import render
from faultline.model import AlertKey, AlertState, Labels, Notification, NotificationKind, Transition
from tests.alerting.stage import Stage, chain, second, write_rules

CHAIN = [chain("DbDown", "PaymentErrors", "CheckoutFailed")]
NAMES = ("DbDown", "PaymentErrors", "CheckoutFailed")


def outage(**route: object) -> Stage:
    """The database is down for 30 seconds; its effects follow 2 and 4 seconds later."""
    stage = Stage(write_rules(*NAMES, chains=CHAIN, route=route), lateness=5)
    stage.fail("dbdown", range(30)).fail("paymenterrors", range(2, 32)).fail("checkoutfailed", range(4, 34))
    return stage


def test_with_a_group_wait_the_one_page_names_the_effects_with_counts() -> None:
    stage = outage(group_wait="10s").run(120)
    assert stage.sent == ["12 firing DbDown", "65 resolved DbDown"]
    page, resolve = stage.notifications
    assert [(effect.alert.rule, effect.state, effect.count) for effect in page.suppressed] == [
        ("PaymentErrors", AlertState.SUPPRESSED, 11),
        ("CheckoutFailed", AlertState.SUPPRESSED, 9),
    ]
    assert [(effect.alert.rule, effect.count) for effect in resolve.suppressed] == [
        ("PaymentErrors", 30),
        ("CheckoutFailed", 30),
    ]


def test_without_a_wait_the_page_goes_at_once_and_is_updated_once() -> None:
    stage = outage(group_interval="20s").run(120)
    assert stage.sent == ["2 firing DbDown", "22 update DbDown", "65 resolved DbDown"]
    page, update, resolve = stage.notifications
    assert [len(sent.suppressed) for sent in (page, update, resolve)] == [0, 2, 2]
    assert (update.reason, update.episode) == ("2 more effects", page.episode)


def test_a_rule_without_effects_does_not_wait_for_any() -> None:
    stage = Stage(write_rules("A", route={"group_wait": "1m"})).fail("a", range(5)).run(5)
    assert stage.sent == ["2 firing A"]


def test_a_wait_delays_a_page_and_never_drops_it() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B")], route={"group_wait": "2m"})
    stage = Stage(rules).fail("a", range(5)).run(130)
    assert stage.sent == ["122 firing A", "123 resolved A"]


def test_effects_that_join_later_make_further_updates_no_closer_than_the_interval() -> None:
    rules = write_rules("A", "B", "C", chains=[chain("A", "B"), chain("A", "C")], route={"group_interval": "30s"})
    stage = Stage(rules).fail("a", range(100)).fail("b", range(5, 100)).fail("c", range(35, 100)).run(99)
    assert stage.sent == ["2 firing A", "32 update A", "62 update A"]
    assert [sent.sequence for sent in stage.notifications] == [1, 1, 2]


def test_every_receiver_of_the_route_has_a_notification_of_its_own() -> None:
    both = {"routes": [{"receiver": "managers", "continue": True}, {"receiver": "ops"}]}
    stage = Stage(write_rules("A", route=both)).fail("a", range(5)).run(60)
    assert [(sent.receiver, sent.kind) for sent in stage.notifications] == [
        ("managers", NotificationKind.FIRING),
        ("ops", NotificationKind.FIRING),
        ("managers", NotificationKind.RESOLVED),
        ("ops", NotificationKind.RESOLVED),
    ]


def test_a_resolve_goes_to_who_was_paged_although_the_route_has_changed() -> None:
    stage = Stage(write_rules("A")).fail("a", range(5)).run(5)
    stage.rules = write_rules("A", route={"receiver": "managers"})
    stage.run(60, start=6)
    assert [(sent.receiver, sent.kind) for sent in stage.notifications if sent.receiver == "ops"] == [
        ("ops", NotificationKind.FIRING),
        ("ops", NotificationKind.RESOLVED),
    ]


def test_an_alert_whose_rule_is_removed_expires_and_is_resolved() -> None:
    stage = Stage(write_rules("A", "B")).fail("a", range(60)).run(5)
    stage.rules = write_rules("B")
    stage.run(10, start=6)
    assert stage.moves == ["2 A inactive → firing", "6 A firing → expired"]
    assert stage.sent == ["2 firing A", "6 resolved A"]
    assert stage.notifications[-1].reason == "its rule was removed"


def test_an_effect_whose_chain_is_removed_pages() -> None:
    stage = Stage(write_rules("A", "B", chains=[chain("A", "B")])).fail("a", range(60)).fail("b", range(60)).run(5)
    stage.rules = write_rules("A", "B")
    stage.run(10, start=6)
    assert stage.sent == ["2 firing A", "6 firing B"]


def test_annotations_are_filled_in_from_the_alert() -> None:
    text = "{{ count }} errors in {{ labels.environment }} ({{ alertname }}: {{ threshold }})"
    stage = Stage(write_rules("A", annotations={"summary": text})).fail("a", range(5)).run(3)
    assert stage.notifications[0].alert.annotations == {"summary": "3 errors in prod (A: 3 in 30s)"}
    assert stage.notifications[0].alert.samples == ("a failed",)


def test_a_template_that_fails_on_the_data_does_not_stop_the_page() -> None:
    assert render("{{ 1 / count }}", {"count": 0}) == "<template failed: division by zero>"


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    assert render("{{ labels.__class__.__mro__ }}", {"labels": {}}).startswith("<template failed: access to attribute")


def test_every_value_survives_json() -> None:
    stage = outage().run(120, every=3)
    for _, evaluation in stage.history:
        for kind, values in {
            Alert: evaluation.changed,
            Transition: evaluation.transitions,
            Notification: evaluation.notifications,
            Suppression: evaluation.suppressions,
        }.items():
            adapter: TypeAdapter[object] = TypeAdapter(kind)
            assert [adapter.validate_json(adapter.dump_json(value)) for value in values] == list(values)


def test_an_episode_is_named_by_its_identity_and_its_start() -> None:
    key = AlertKey("A", Labels(environment="prod"))
    alert = Alert(key, AlertState.FIRING, key.labels, second(30))
    assert alert.episode == f"{key.id}-20260101T000030Z"
    assert isinstance(alert.starts_at, datetime)
