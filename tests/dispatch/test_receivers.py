"""Receivers are built from the rule file, one target per channel."""

from __future__ import annotations

from faultline.alerting.rules import load_rules
from faultline.dispatch.receivers import build_receivers, targets_of, told_no_ends
from faultline.dispatch.receivers.console import ConsoleReceiver
from faultline.dispatch.receivers.webhook import WebhookReceiver

RULES = """
groups:
- name: db
  rules:
  - {alert: DbDown, type: frequency, topics: [app-logs], matchers: ['service="db"'], num_events: 20, timeframe: 1m}
route: {receiver: ops}
receivers:
- name: ops
  console_configs: [{}]
  webhook_configs: [{url: "http://a.example/1"}, {url: "http://a.example/2"}]
- name: nobody
"""


def test_each_channel_of_a_receiver_is_a_target() -> None:
    receivers = build_receivers(load_rules(RULES))
    assert targets_of(receivers) == {"ops": ("ops/console/1", "ops/webhook/1", "ops/webhook/2"), "nobody": ()}
    assert [type(channel) for channel in receivers["ops"]] == [ConsoleReceiver, WebhookReceiver, WebhookReceiver]


def test_channels_that_are_told_no_ends_are_known_by_their_targets() -> None:
    rules = load_rules(
        "{groups: [], route: {receiver: ops}, receivers: [{name: ops, console_configs: [{send_resolved: false}, {}], "
        "webhook_configs: [{url_env: U, send_resolved: false}], pagerduty_configs: [{routing_key_env: K}]}]}"
    )
    assert told_no_ends(rules) == {"ops/console/1", "ops/webhook/1"}
