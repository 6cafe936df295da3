"""The receivers of a rules file: every kind reads, and no credential may stand in it."""

from __future__ import annotations

import pytest

from faultline.alerting.rules import load_rules
from faultline.dispatch.receivers import build_receivers, targets_of
from faultline.errors import ConfigurationError

RULES = """
groups:
- name: db
  rules:
  - {alert: DbDown, type: frequency, topics: [app-logs], matchers: ['service="db"'], num_events: 20, timeframe: 1m}
route: {receiver: ops}
receivers:
- name: ops
"""


def faults(lines: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_rules(RULES + lines)
    return [str(fault) for fault in caught.value.faults]


def test_every_kind_of_channel_becomes_a_target() -> None:
    rules = load_rules(
        RULES
        + """
  webhook_configs: [{url: "http://127.0.0.1:9000/hook"}, {url_env: HOOK}]
  slack_configs: [{api_url_file: /run/secrets/slack}]
  dingtalk_configs: [{conn_id: robot}, {url_env: DINGTALK, secret_env: DINGTALK_SECRET}]
  feishu_configs: [{url_env: FEISHU, secret_file: /run/secrets/feishu}]
  lark_configs: [{url_env: LARK}]
  wecom_configs: [{url_env: WECOM}]
  pagerduty_configs: [{routing_key_env: PAGERDUTY}]
  apprise_configs: [{url_env: MAIL}]
"""
    )
    kinds = ["webhook/1", "webhook/2", "slack/1", "dingtalk/1", "dingtalk/2", "feishu/1", "lark/1", "wecom/1"]
    assert targets_of(build_receivers(rules)) == {
        "ops": tuple(f"ops/{kind}" for kind in [*kinds, "pagerduty/1", "apprise/1"])
    }


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("slack_configs: [{api_url: https://hooks.slack.com/services/T1/B1/Sesame99}]", "api_url"),
        ("dingtalk_configs: [{url_env: A, secret: Sesame99}]", "secret"),
        ("feishu_configs: [{url: https://open.feishu.cn/open-apis/bot/v2/hook/Sesame99}]", "url"),
        ("lark_configs: [{url: https://open.larksuite.com/open-apis/bot/v2/hook/Sesame99}]", "url"),
        ("wecom_configs: [{url: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=Sesame99}]", "url"),
        ("pagerduty_configs: [{routing_key: Sesame99}]", "routing_key"),
        ("apprise_configs: [{url: mailto://me:Sesame99@example.com}]", "url"),
        ("webhook_configs: [{url: https://me:Sesame99@example.com/hook}]", "url"),
        ("webhook_configs: [{url: https://example.com/hook?access_token=Sesame99}]", "url"),
    ],
)
def test_a_secret_in_clear_is_a_fault_that_says_what_to_write_and_not_the_secret(channel: str, name: str) -> None:
    (fault,) = faults(f"  {channel}\n")
    assert fault.startswith("rules.yaml:9: ")
    assert f"write {name}_env: VARIABLE, {name}_file: PATH or conn_id: CONNECTION instead" in fault
    assert "Sesame99" not in fault


def test_a_robots_address_in_a_webhook_is_told_apart() -> None:
    (fault,) = faults("  webhook_configs: [{url: https://hooks.slack.com/services/T1/B1/Sesame99}]\n")
    assert "use slack_configs" in fault
    assert "Sesame99" not in fault


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("slack_configs: [{}]", "no api_url: write api_url_env: VARIABLE, api_url_file: PATH or conn_id: CONNECTION"),
        ("slack_configs: [{api_url_env: A, api_url_file: b}]", "only one of api_url_env and api_url_file"),
        ("slack_configs: [{api_url_env: A, conn_id: b}]", "only one of api_url_env and conn_id"),
        ("wecom_configs: [{url_evn: A}]", "unknown field 'url_evn'; did you mean 'url_env'?"),
    ],
)
def test_what_is_missing_or_said_twice_is_a_fault(channel: str, said: str) -> None:
    assert any(said in fault for fault in faults(f"  {channel}\n"))
