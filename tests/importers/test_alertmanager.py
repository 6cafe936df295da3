"""Each field of Alertmanager's configuration: what becomes of it, or what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from faultline.alerting.rules import load_rules
from faultline.errors import ConfigurationError
from faultline.importers.alertmanager import convert
from faultline.importers.report import Conversion
from faultline.model import Labels
from faultline.yaml_files import parse_yaml, plain

NOTHING_ELSE = "route: {receiver: ops}\nreceivers: [{name: ops}]\n"


def document(found: Conversion) -> Any:
    """The result as data; that it is a good file is checked on the way."""
    load_rules(found.text)
    return plain(parse_yaml(found.text, "rules.yaml"))


def lines(found: Conversion) -> list[str]:
    return [str(note) for note in found.notes]


def route(text: str, further: str = "receivers: [{name: ops}, {name: db}]") -> Any:
    return document(convert(f"route: {text}\n{further}\n", "am.yml"))["route"]


def test_waits_that_are_not_said_are_alertmanagers() -> None:
    waits = {"group_by": [], "group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
    assert route("{receiver: ops}") == {"receiver": "ops", **waits}
    said = {"group_wait": "0s", "group_interval": "1m30s", "repeat_interval": "1d"}
    assert route("{receiver: ops, group_wait: 0s, group_interval: 1m30s, repeat_interval: 1d}") == {
        "receiver": "ops",
        "group_by": [],
        **said,
    }


CHILDREN = {
    "matchers": ("matchers: [severity = page, 'team=~\"a|b\"']", {"matchers": ["severity = page", 'team=~"a|b"']}),
    "match": ("match: {severity: page, tier: 1}", {"matchers": ['severity="page"', 'tier="1"']}),
    "match_re": ("match_re: {team: a|b}", {"matchers": ['team=~"a|b"']}),
    "all three": (
        "match: {a: x}, match_re: {b: y}, matchers: [c=z]",
        {"matchers": ['a="x"', 'b=~"y"', "c=z"]},
    ),
    "a name that needs quotes": ("match: {a b: x}", {"matchers": ['"a b"="x"']}),
    "truth": ("match: {page: true}", {"matchers": ['page="true"']}),
    "continue": ("continue: true", {"continue": True}),
    "its receiver": ("receiver: db", {"receiver": "db"}),
    "its groups": ("group_by: [alertname, cluster]", {"group_by": ["alertname", "cluster"]}),
    "its waits": ("group_wait: 1s, repeat_interval: 2h", {"group_wait": "1s", "repeat_interval": "2h"}),
    "quiet hours": ("mute_time_intervals: [nights]", {"mute_time_intervals": ["nights"]}),
    "active hours": ("active_time_intervals: [nights]", {"active_time_intervals": ["nights"]}),
    "children": ("routes: [{receiver: db}]", {"routes": [{"receiver": "db"}]}),
    "nothing": ("", {}),
}


@pytest.mark.parametrize(("source", "ours"), CHILDREN.values(), ids=CHILDREN)
def test_a_route_is_carried(source: str, ours: dict[str, Any]) -> None:
    further = "receivers: [{name: ops}, {name: db}]\ntime_intervals: [{name: nights, time_intervals: [{}]}]"
    assert route(f"{{receiver: ops, routes: [{{{source}}}]}}", further)["routes"] == [ours]


def test_the_tree_leads_alerts_where_it_led_them() -> None:
    text = """
route:
  receiver: ops
  routes:
  - {receiver: page, matchers: [severity=page], continue: true}
  - receiver: db
    match_re: {service: mysql|postgres}
    routes: [{receiver: dba, match: {level: CRITICAL}}]
receivers: [{name: ops}, {name: page}, {name: db}, {name: dba}]
"""
    rules = load_rules(convert(text, "am.yml").text)
    for labels, receivers in (
        ({"severity": "page", "service": "mysql"}, ["page", "db"]),
        ({"service": "postgres", "level": "CRITICAL"}, ["dba"]),
        ({"severity": "page"}, ["page"]),
        ({"service": "mysql2"}, ["ops"]),
    ):
        assert [each.receiver for each in rules.destinations(Labels(labels))] == receivers


ROUTES_LEFT = {
    "no regular expression": ("match_re: {a: '('}", "route.routes.0: not a regular expression"),
    "no matcher": ("matchers: ['a ~ b']", "route.routes.0: not a matcher: 'a ~ b'"),
    "a list for a mapping": ("match: [a]", "route.routes.0: a list where a mapping is expected"),
}


@pytest.mark.parametrize(("source", "said"), ROUTES_LEFT.values(), ids=ROUTES_LEFT)
def test_a_route_whose_alerts_cannot_be_told_is_left_out(source: str, said: str) -> None:
    found = convert(f"route:\n  receiver: ops\n  routes:\n  - {{{source}}}\nreceivers: [{{name: ops}}]\n", "am.yml")
    assert "routes" not in document(found)["route"]
    [note] = [line for line in lines(found) if said in line]
    assert note.startswith("am.yml:4: not carried: ")
    assert note.endswith("its alerts go on to the routes after it; write it by hand")


NOTED = {
    "no such receiver": (
        "route: {receiver: opz}",
        "am.yml:1: not carried: route.receiver: no receiver 'opz' there; give the one of this name a channel; it has "
        "none",
    ),
    "no receiver": (
        "route: {}",
        "am.yml:1: not carried: route: the root route has no receiver; give the receiver `nobody` a channel",
    ),
    "no route": ("global: {}", "am.yml:1: not carried: the file: no route; write one; until then nobody is told"),
    "conditions of the root": (
        "route: {receiver: ops, match: {a: b}}",
        "am.yml:1: not carried: route.match: the root route matches everything, in Alertmanager too; put it into a "
        "route below",
    ),
    "no such interval": (
        "route: {receiver: ops, routes: [{mute_time_intervals: [nights]}]}",
        "am.yml:1: not carried: route.routes.0.mute_time_intervals: no time interval 'nights'; write it, and name it "
        "here",
    ),
    "no duration": (
        "route: {receiver: ops, group_wait: soon}",
        "am.yml:1: not carried: route.group_wait: not a duration: 'soon'; write a number and a unit, such as 30s, 5m "
        "or "
        "1h30m; correct it and import again, or write it by hand",
    ),
    "never again": (
        "route: {receiver: ops, repeat_interval: 0s}",
        "am.yml:1: not carried: route.repeat_interval: must be longer than 0; correct it and import again, or write it "
        "by hand",
    ),
    "half a character": (
        'route: {receiver: ops, group_wait: "\\ud800"}',
        "am.yml:1: not carried: route.group_wait: a text with half a character in it; correct it and import again, or "
        "write it by hand",
    ),
    "a list of what is none": (
        "route: {receiver: ops, routes: [x, 1]}",
        "am.yml:1: not carried: route.routes.0: a text where a mapping is expected; correct it and import again",
    ),
    "no list": (
        "route: {receiver: ops, routes: {}}",
        "am.yml:1: not carried: route.routes: a mapping where a list is expected; correct it and import again",
    ),
    "an unknown field": (
        "rout: {receiver: ops}",
        "am.yml:1: not carried: rout: no field that Faultline knows; see docs/alerting.md for what there is",
    ),
    "an interval that is none": (
        "time_intervals: [{name: n, time_intervals: [{weekdays: [someday]}]}]",
        "am.yml:1: not carried: time_intervals.0: time_intervals.weekdays: not a number or a name: 'someday'; "
        "correct it "
        "and import again; nothing is muted by it",
    ),
    "an interval with a field we do not know": (
        "time_intervals: [{name: n, time_intervals: [{weekday: [monday]}]}]",
        "am.yml:1: not carried: time_intervals.0: time_intervals.weekday: Extra inputs are not permitted; correct it "
        "and "
        "import again; nothing is muted by it",
    ),
    "Local": (
        "time_intervals: [{name: n, time_intervals: [{location: Local}]}]",
        "am.yml:1: not carried: time_intervals.0: time_intervals.location: not a time zone: 'Local'; a name such as "
        "Europe/Berlin or Asia/Shanghai; correct it and import again; nothing is muted by it",
    ),
    "two intervals of a name": (
        "time_intervals: [{name: n, time_intervals: []}, {name: n, time_intervals: []}]",
        "am.yml:1: not carried: time_intervals.1: a second one of this name; rename it and import again",
    ),
    "an inhibit rule that is none": (
        "inhibit_rules: [{source_match_re: {a: '('}}]",
        "am.yml:1: not carried: inhibit_rules.0: not a regular expression: '(': missing ), unterminated subpattern at "
        "position 0; it is left out, so more is told: correct it, or write it by hand",
    ),
}


@pytest.mark.parametrize(("text", "note"), NOTED.values(), ids=NOTED)
def test_what_is_not_carried_is_said_with_its_line_and_what_to_do(text: str, note: str) -> None:
    found = convert(f"{text}\nreceivers: [{{name: ops}}]\n", "am.yml")
    document(found)
    assert note in lines(found)


INHIBIT = {
    "matchers": "{source_matchers: [severity=page], target_matchers: ['severity=~\"warning|info\"'], equal: [host]}",
    "older ones": "{source_match: {a: b}, source_match_re: {c: d}, target_match: {e: f}, target_match_re: {g: h}}",
    "a name": "{name: hosts, source_matchers: [a=b], target_matchers: [c=d]}",
}


@pytest.mark.parametrize("rule", INHIBIT.values(), ids=INHIBIT)
def test_an_inhibit_rule_stays_as_it_is_and_its_meaning_is_said(rule: str) -> None:
    found = convert(f"{NOTHING_ELSE}inhibit_rules: [{rule}]\n", "am.yml")
    assert document(found)["inhibit_rules"] == [plain(parse_yaml(rule, "x"))]
    assert [line for line in lines(found) if "differs: inhibit_rules.0: labels that both lack are equal" in line]


def test_numbers_in_time_intervals_are_texts_here() -> None:
    text = (
        f"{NOTHING_ELSE}mute_time_intervals: [{{name: n, time_intervals: [{{years: [2026], days_of_month: [-1]}}]}}]\n"
    )
    [interval] = document(convert(text, "am.yml"))["time_intervals"]
    assert interval == {"name": "n", "time_intervals": [{"years": ["2026"], "days_of_month": ["-1"]}]}


CHANNELS = {
    "webhook": (
        "webhook_configs: [{url: 'http://127.0.0.1:9/hook'}]",
        "webhook_configs",
        {"url": "http://127.0.0.1:9/hook"},
    ),
    "a secret webhook": (
        "webhook_configs: [{url: 'https://x.org/Sesame99'}]",
        "webhook_configs",
        {"url_env": "OPS_WEBHOOK_URL"},
    ),
    "webhook in a file": ("webhook_configs: [{url_file: /run/hook}]", "webhook_configs", {"url_file": "/run/hook"}),
    "slack": (
        "slack_configs: [{api_url: 'https://hooks.slack.com/Sesame'}]",
        "slack_configs",
        {"api_url_env": "OPS_SLACK_API_URL"},
    ),
    "slack in a file": ("slack_configs: [{api_url_file: /run/slack}]", "slack_configs", {"api_url_file": "/run/slack"}),
    "slack from a variable": ("slack_configs: [{api_url: '${SLACK}'}]", "slack_configs", {"api_url_env": "SLACK"}),
    "slack of all": ("slack_configs: [{channel: x}]", "slack_configs", {"api_url_env": "SLACK_API_URL"}),
    "mattermost": (
        "mattermost_configs: [{webhook_url: 'https://m.org/Sesame'}]",
        "slack_configs",
        {"api_url_env": "OPS_MATTERMOST_API_URL"},
    ),
    "pagerduty": (
        "pagerduty_configs: [{routing_key: Sesame}]",
        "pagerduty_configs",
        {"routing_key_env": "OPS_PAGERDUTY_ROUTING_KEY"},
    ),
    "pagerduty's older key": (
        "pagerduty_configs: [{service_key: Sesame}]",
        "pagerduty_configs",
        {"routing_key_env": "OPS_PAGERDUTY_ROUTING_KEY"},
    ),
    "pagerduty elsewhere": (
        "pagerduty_configs: [{routing_key_file: /run/pd, url: 'https://pd.example.org/enqueue'}]",
        "pagerduty_configs",
        {"routing_key_file": "/run/pd", "url": "https://pd.example.org/enqueue"},
    ),
    "wechat": (
        "wechat_configs: [{corp_id: c, api_secret: Sesame, to_user: '@all'}]",
        "wecom_configs",
        {"url_env": "OPS_WECHAT_URL"},
    ),
    "email": ("email_configs: [{to: a@b.org, auth_password: Sesame}]", "apprise_configs", {"url_env": "OPS_EMAIL_URL"}),
    "discord": (
        "discord_configs: [{webhook_url: 'https://discord.com/api/webhooks/1/Sesame'}]",
        "apprise_configs",
        {"url_env": "OPS_DISCORD_URL"},
    ),
    "teams": ("msteamsv2_configs: [{webhook_url_file: /run/teams}]", "apprise_configs", {"url_file": "/run/teams"}),
    "telegram": (
        "telegram_configs: [{bot_token: Sesame, chat_id: -1}]",
        "apprise_configs",
        {"url_env": "OPS_TELEGRAM_URL"},
    ),
    "opsgenie": ("opsgenie_configs: [{api_key: Sesame}]", "apprise_configs", {"url_env": "OPS_OPSGENIE_URL"}),
    "pushover": (
        "pushover_configs: [{user_key: Sesame, token: Sesame}]",
        "apprise_configs",
        {"url_env": "OPS_PUSHOVER_URL"},
    ),
    "victorops": (
        "victorops_configs: [{api_key: Sesame, routing_key: Sesame}]",
        "apprise_configs",
        {"url_env": "OPS_VICTOROPS_URL"},
    ),
    "words of its own": (
        "slack_configs: [{api_url_file: /run/slack, title: Look, text: '{{ .x }}'}]",
        "slack_configs",
        {"api_url_file": "/run/slack", "title": "Look"},
    ),
}


@pytest.mark.parametrize(("source", "kind", "ours"), CHANNELS.values(), ids=CHANNELS)
def test_a_channel_is_carried_and_its_secret_named(source: str, kind: str, ours: dict[str, Any]) -> None:
    top = "global: {slack_api_url: 'https://hooks.slack.com/Sesame'}\nroute: {receiver: ops}\n"
    found = convert(f"{top}receivers: [{{name: ops, {source}}}]", "am.yml")
    [receiver] = document(found)["receivers"]
    ends = {"send_resolved": False} if source.startswith(("slack", "wechat", "email")) else {}
    assert receiver == {"name": "ops", kind: [{**ours, **ends}]}
    assert "Sesame" not in found.text + "".join(lines(found))
    variables = [value for name, value in ours.items() if name.endswith("_env") and value != "SLACK"]
    assert [
        line for line in lines(found) if "to be set" in line and f" {''.join(variables)} to " in line
    ] or not variables


@pytest.mark.parametrize(
    ("asked", "webhook", "slack"),
    [("", {}, {"send_resolved": False}), ("true", {}, {}), ("false", *[{"send_resolved": False}] * 2)],
    ids=["not said", "asked for", "not wanted"],
)
def test_who_is_told_no_ends_there_is_told_none_here(
    asked: str, webhook: dict[str, Any], slack: dict[str, Any]
) -> None:
    said = f", send_resolved: {asked}" if asked else ""
    kinds = f"webhook_configs: [{{url_file: /x{said}}}], slack_configs: [{{api_url_file: /y{said}}}]"
    found = convert(f"route: {{receiver: ops}}\nreceivers: [{{name: ops, {kinds}}}]", "am.yml")
    [receiver] = document(found)["receivers"]
    assert receiver["webhook_configs"] == [{"url_file": "/x", **webhook}]
    assert receiver["slack_configs"] == [{"api_url_file": "/y", **slack}]
    assert not [line for line in lines(found) if "send_resolved" in line]


CHANNELS_NOTED = {
    "not known": (
        "jira_configs: [{}]",
        "not carried: receivers.0.jira_configs: Faultline has no such channel of its own",
    ),
    "retired": ("msteams_configs: [{}]", "not carried: receivers.0.msteams_configs: Faultline has no such channel"),
    "no credential": (
        "slack_configs: [{channel: x}]",
        "not carried: receivers.0.slack_configs.0: no api_url or api_url_file",
    ),
    "a template": ("pagerduty_configs: [{routing_key: '{{ .x }}'}]", "a template chose the credential by the alert"),
    "a bot": (
        "slack_configs: [{api_url: 'https://slack.com/api/chat.postMessage'}]",
        "to the address of an incoming webhook",
    ),
    "beside itself": (
        "slack_configs: [{api_url_file: slack}]",
        "differs: receivers.0.slack_configs.0.api_url_file: Alertmanager looks",
    ),
    "an older key in a file": (
        "pagerduty_configs: [{service_key_file: /run/pd}]",
        "service_key_file: what the file holds is another credential; put the key of an integration of type Events API",
    ),
    "mail without TLS": (
        "email_configs: [{to: a@b.org, require_tls: false}]",
        "not carried: receivers.0.email_configs.0.require_tls: mail is sent over TLS; write mode=insecure",
    ),
    "half a character in a title": (
        'slack_configs: [{api_url_file: /x, title: "\\ud800"}]',
        "receivers.0.slack_configs.0.title: a text with half a character in it",
    ),
    "a client of HTTP": (
        "webhook_configs: [{url_file: /x, http_config: {}}]",
        "http_config: Faultline's channel has no such option; credentials go",
    ),
    "an address with a secret": (
        "pagerduty_configs: [{routing_key_file: /x, url: 'https://x.org/?k=1'}]",
        "the address may hold a secret",
    ),
    "mail": (
        "email_configs: [{to: a@b.org, from: c@d.org, smarthost: 'm:25'}]",
        "mailtos://USER:PASSWORD@m:25?from=c@d.org&to=a@b.org&mode=starttls",
    ),
    "telegram": ("telegram_configs: [{bot_token: x, chat_id: -100}]", "OPS_TELEGRAM_URL to tgram://BOT_TOKEN/-100,"),
    "no field": ("slack: []", "receivers.0.slack: no field of a receiver that Faultline knows"),
    "not a list": ("slack_configs: {}", "receivers.0.slack_configs: a mapping where a list is expected"),
}


@pytest.mark.parametrize(("source", "said"), CHANNELS_NOTED.values(), ids=CHANNELS_NOTED)
def test_what_differs_in_a_channel_is_said(source: str, said: str) -> None:
    found = convert(f"route: {{receiver: ops}}\nreceivers: [{{name: ops, {source}}}]", "am.yml")
    document(found)
    assert [line for line in lines(found) if said in line], lines(found)


def test_receivers_keep_their_order_and_a_second_of_a_name_is_left_out() -> None:
    found = convert("route: {receiver: b}\nreceivers:\n- name: b\n- name: a\n- name: b\n- {}\n", "am.yml")
    assert [each["name"] for each in document(found)["receivers"]] == ["b", "a"]
    assert [line.split(";")[0] for line in lines(found)] == [
        "am.yml:5: not carried: receivers.2: a second receiver of this name",
        "am.yml:6: not carried: receivers.3: a receiver without a name",
    ]


def test_anchors_and_merge_keys_are_followed() -> None:
    route = "route:\n  <<: *x\n  routes:\n  - <<: *x\n    group_wait: never\n"
    found = convert(f"x: &x {{receiver: ops}}\n{route}receivers: [{{name: ops}}]\n", "am.yml")
    assert document(found)["route"]["routes"] == [{"receiver": "ops"}]
    assert [
        line for line in lines(found) if line.startswith("am.yml:6: not carried: route.routes.0.group_wait: not a d")
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("route: [", "am.yml:1: not YAML"),
        ("- route", "am.yml:1: a list where a mapping of fields is expected"),
        ("", "am.yml:1: nothing where a mapping of fields is expected"),
        ("&a {routes: [*a]}", "am.yml:1: not YAML for us: an alias that contains itself"),
        ("slack_api_url: Sesame\nslack_api_url: Sesame", 'am.yml:2: not YAML: found duplicate key "slack_api_url"'),
    ],
)
def test_what_cannot_be_read_at_all_is_a_fault(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        convert(text, "am.yml")
    assert str(raised.value).startswith(fault)
    assert "Sesame" not in str(raised.value)
