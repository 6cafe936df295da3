"""Each field of an ElastAlert rule: what becomes of it, or what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from faultline.alerting.rehearsal import rehearse
from faultline.alerting.rules import load_rules
from faultline.errors import ConfigurationError, Fault
from faultline.importers.elastalert import convert
from faultline.importers.report import Conversion
from faultline.yaml_files import parse_yaml, plain

FREQUENCY = "name: Errors\ntype: frequency\nindex: app\nnum_events: 5\ntimeframe: {minutes: 1}\nalert: debug\n"
KINDLESS = "name: Errors\nindex: app\nalert: debug\n"


def imported(*texts: str, **others: str) -> Conversion:
    """The conversion of rule files named 1.yaml, 2.yaml …, beside others that they import."""
    files = {f"{number}.yaml": text for number, text in enumerate(texts, 1)}
    beside = {f"{name}.yaml": text for name, text in others.items()}

    def read(name: str) -> str:
        if name not in {**files, **beside}:
            raise ConfigurationError([Fault(name, 0, "cannot be read: no such file")])
        return {**files, **beside}[name]

    return convert(list(files), read)


def document(found: Conversion) -> Any:
    """The result as data; that it is a good file is checked on the way."""
    load_rules(found.text)
    return plain(parse_yaml(found.text, "rules.yaml"))


def rules(found: Conversion) -> list[Any]:
    [group] = document(found)["groups"]
    return list(group["rules"])


def lines(found: Conversion) -> list[str]:
    return [str(note) for note in found.notes]


KINDS = {
    "frequency": (
        "type: frequency\nnum_events: 5\ntimeframe: {hours: 1, minutes: 30}",
        {"type": "frequency", "num_events": 5, "timeframe": "1h30m"},
    ),
    "any": ("type: any", {"type": "frequency", "num_events": 1, "timeframe": "1m"}),
    "spike": (
        "type: spike\nspike_height: 2.5\nspike_type: down\nthreshold_ref: 10\nthreshold_cur: 3\nalert_on_new_data: "
        "true\n"
        "timeframe: {minutes: 10}",
        {
            "type": "spike",
            "spike_height": 2.5,
            "spike_type": "down",
            "threshold_ref": 10,
            "threshold_cur": 3,
            "alert_on_new_data": True,
            "timeframe": "10m",
        },
    ),
    "flatline": (
        "type: flatline\nthreshold: 1\nforget_keys: true\ntimeframe: {seconds: 90}",
        {"type": "flatline", "threshold": 1, "forget_keys": True, "timeframe": "1m30s"},
    ),
    "cardinality": (
        "type: cardinality\ncardinality_field: host.name\nmax_cardinality: 9\nmin_cardinality: 2\ntimeframe: {days: 1}",
        {
            "type": "cardinality",
            "cardinality_field": "host",
            "max_cardinality": 9,
            "min_cardinality": 2,
            "timeframe": "1d",
        },
    ),
    "percentage_match": (
        "type: percentage_match\nmatch_bucket_filter: [{term: {level: error}}]\nmax_percentage: 5\nmin_percentage: "
        "0.5\n"
        "min_denominator: 10\nbuffer_time: {minutes: 5}",
        {
            "type": "percentage_match",
            "match_bucket_filter": ['level="ERROR"'],
            "max_percentage": 5,
            "min_percentage": 0.5,
            "min_denominator": 10,
            "timeframe": "5m",
        },
    ),
    "percentages of no time": (
        "type: percentage_match\nmatch_bucket_filter: [{term: {level: error}}]\nmax_percentage: 5\nmin_denominator: 0",
        {
            "type": "percentage_match",
            "match_bucket_filter": ['level="ERROR"'],
            "max_percentage": 5,
            "timeframe": "15m",
        },
    ),
    "new_term": (
        "type: new_term\nfields: exc_type\nterms_window_size: {weeks: 1}",
        {"type": "new_term", "fields": ["exception_type"], "terms_window_size": "7d"},
    ),
    "new_term of its key": (
        "type: new_term\nquery_key: [appName, host]",
        {"type": "new_term", "fields": ["service", "host"], "matchers": ['service!=""', 'host!=""']},
    ),
}


@pytest.mark.parametrize(("source", "ours"), KINDS.values(), ids=KINDS)
def test_a_type_is_carried_with_its_options(source: str, ours: dict[str, Any]) -> None:
    [rule] = rules(imported(f"{KINDLESS}{source}\n"))
    assert rule == {"alert": "Errors", "topics": ["app"], **ours}


def test_each_field_of_a_new_term_is_a_rule_and_an_inner_list_is_one() -> None:
    found = rules(imported(f"{KINDLESS}type: new_term\nfields: [exc_type, [service, host]]\n"))
    assert [(rule["alert"], rule["fields"]) for rule in found] == [
        ("Errors: exception_type", ["exception_type"]),
        ("Errors: service, host", ["service", "host"]),
    ]


FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "one key": ("query_key: appName.keyword", {"query_key": ["service"]}),
    "a compound key": ("query_key: [service, host, service]", {"query_key": ["service", "host"]}),
    "filters": (
        "filter: [{term: {level: warn}}, {terms: {service: [a, b]}}]",
        {"matchers": ['level="WARNING"', 'service=~"a|b"']},
    ),
    "no filter": ("filter: []", {}),
    "who and how urgent": (
        "priority: 1\nowner: shop\ncategory: orders",
        {"labels": {"priority": "1", "owner": "shop", "category": "orders"}},
    ),
    "a description": ("description: Look.", {"annotations": {"description": "Look."}}),
    "a subject": ("alert_subject: Down", {"annotations": {"summary": "Down"}}),
    "its braces are braces": (
        "alert_subject: 'a {{ b }} {% c'",
        {"annotations": {"summary": "a {{ '{' }}{ b }} {{ '{' }}% c"}},
    ),
    "a subject with arguments": (
        "query_key: host\nalert_subject: '{0}: {1} since {2}, {0} of {3}'\n"
        "alert_subject_args: [host.name, num_matches, '@timestamp', name]",
        {
            "query_key": ["host"],
            "annotations": {
                "summary": "{{ labels.host }}: {{ count }} since {{ starts_at }}, {{ labels.host }} of Errors"
            },
        },
    ),
    "a label with dots": (
        "query_key: k8s.pod\nalert_text: '{}'\nalert_text_args: [k8s.pod]",
        {"query_key": ["k8s.pod"], "annotations": {"text": "{{ labels['k8s.pod'] }}"}},
    ),
}


@pytest.mark.parametrize(("source", "ours"), FIELDS.values(), ids=FIELDS)
def test_a_field_of_every_type_is_carried(source: str, ours: dict[str, Any]) -> None:
    [rule] = rules(imported(f"{FREQUENCY}{source}\n"))
    assert rule == {
        "alert": "Errors",
        "type": "frequency",
        "topics": ["app"],
        "num_events": 5,
        "timeframe": "1m",
        **ours,
    }


@pytest.mark.parametrize(
    ("index", "topics"),
    [
        ("app-logs", ["app-logs"]),
        ("app-logs-*", ["app-logs"]),
        ("logstash-%Y.%m.%d", ["logstash"]),
        ("app-2026.11.*", ["app"]),
        ("a-*,b-*, a-*", ["a", "b"]),
        ("<app-{now/d}>", None),
        ("*", None),
        ("_all", None),
        ("a,*:b", None),
        ("-old-*", None),
    ],
)
def test_an_index_is_the_topic_called_as_it_without_its_date(index: str, topics: list[str] | None) -> None:
    [rule] = rules(imported(FREQUENCY.replace("index: app", f"index: '{index}'")))
    assert rule.get("topics") == topics


OFF = {
    "a filter on texts": (
        FREQUENCY + "filter: [{query_string: {query: 'timeout'}}]",
        "1.yaml:7: not carried: filter: 'timeout' is looked for in texts; rules count by labels; it is a comment in "
        "the "
        "result: complete it by hand, with matchers on labels that the records have",
    ),
    "a key that is no label": (
        FREQUENCY + "query_key: message",
        "1.yaml:7: not carried: query_key: 'message' is no label: records are counted by service, level, host … and by "
        "count labels; it is a comment in the result: complete it by hand",
    ),
    "a share of nothing": (
        KINDLESS + "type: percentage_match\nmax_percentage: 5\nmatch_bucket_filter: [{range: {a: 1}}]",
        "1.yaml:6: not carried: match_bucket_filter: a filter 'range'; rules know term, terms, exists, prefix, "
        "wildcard, "
        "query_string, bool; it is a comment in the result: complete it by hand",
    ),
    "switched off": (
        FREQUENCY + "is_enabled: false",
        "1.yaml:7: not carried: is_enabled: the rule is off; it is a comment in the result: remove the # to switch "
        "it on",
    ),
    "a list": (
        KINDLESS + "type: blacklist",
        "1.yaml:4: not carried: type: no type 'blacklist' here; write a frequency rule with num_events: 1 and a "
        "matcher "
        'compare_key=~"one|other"',
    ),
    "a program": (
        KINDLESS + "type: my.rules.Own",
        "1.yaml:4: not carried: type: no type 'my.rules.Own' here; it is a comment in the result: complete it by hand, "
        "see docs/alerting.md",
    ),
    "no type": (
        KINDLESS,
        "1.yaml:1: not carried: the file: no type '' here; it is a comment in the result: complete it by hand, see "
        "docs/alerting.md",
    ),
    "sums": (
        KINDLESS + "type: spike\nspike_height: 3\nspike_type: up\ntimeframe: {minutes: 1}\nfield_value: bytes",
        "1.yaml:8: not carried: field_value: Faultline counts records and does not add up what is in them; it is a "
        "comment in the result: complete it by hand",
    ),
    "no number": (
        FREQUENCY.replace("5", "many"),
        "1.yaml:4: not carried: num_events: a text where a number is expected; it is a comment in the result: complete "
        "it by hand",
    ),
    "no time": (
        FREQUENCY.replace("{minutes: 1}", "1m"),
        "1.yaml:5: not carried: timeframe: not a time such as {minutes: 5}; it is a comment in the result: complete it "
        "by hand",
    ),
    "time that runs backwards": (
        FREQUENCY.replace("minutes: 1", "minutes: -1"),
        "1.yaml:5: not carried: timeframe: not a duration: '-1d23h59m'; write a number and a unit, such as 30s, 5m or "
        "1h30m; it is a comment in the result: complete it by hand",
    ),
    "what is missing": (
        FREQUENCY.replace("num_events: 5\n", ""),
        "1.yaml:1: not carried: the file: frequency.num_events: Field required; it is a comment in the result: "
        "complete "
        "it by hand",
    ),
    "what our rules do not take": (
        KINDLESS + "type: spike\nspike_height: 1\nspike_type: up\ntimeframe: {minutes: 1}",
        "1.yaml:1: not carried: the file: spike.spike_height: Input should be greater than 1; it is a comment in the "
        "result: complete it by hand",
    ),
    "a term of nothing": (
        KINDLESS + "type: new_term",
        "1.yaml:1: not carried: the file: new_term.fields: Field required; it is a comment in the result: complete "
        "it by "
        "hand",
    ),
}


@pytest.mark.parametrize(("text", "note"), OFF.values(), ids=OFF)
def test_a_rule_that_cannot_be_carried_whole_is_a_comment(text: str, note: str) -> None:
    found = imported(text + "\n")
    assert rules(found) == []
    assert "  # - alert: Errors\n" in found.text
    assert note in lines(found)


NOTED = {
    "Elasticsearch": (
        "es_host: x\nuse_ssl: true",
        "not carried: es_host, use_ssl: Elasticsearch is not asked: records are counted as they come from Kafka; "
        "nothing "
        "to do",
    ),
    "include": ("include: [x]", "not carried: include: a message has samples of whole records; nothing to do"),
    "exponential_realert": (
        "exponential_realert: {hours: 1}",
        "not carried: exponential_realert: the time between repeats does not grow; see repeat_interval of a route",
    ),
    "aggregation": (
        "aggregation: {hours: 1}",
        "not carried: aggregation: a message is about one episode and its effects; write a chain for alerts that "
        "belong "
        "together, see docs/alerting.md",
    ),
    "timestamp_field": (
        "timestamp_field: t",
        "not carried: timestamp_field: what means the time is said for the topic; see `fields` in topics.yaml",
    ),
    "an option of a channel": (
        "slack_emoji_override: x",
        "not carried: slack_emoji_override: no option of Faultline's channel; set it at the provider, or see "
        "docs/receivers.md",
    ),
    "no field": (
        "num_event: 5",
        "not carried: num_event: no field that Faultline knows; see docs/alerting.md for what there is",
    ),
    "a count label": (
        "query_key: tenant",
        "differs: query_key: records have the label 'tenant' only where topics.yaml says so; add count_labels: "
        "[tenant] "
        "to the topics app in topics.yaml",
    ),
    "a label that records set": (
        "query_key: owner\nowner: me",
        "not carried: owner: records set this label; nothing to do",
    ),
    "a subject that asks for more": (
        "alert_subject: '{0}'\nalert_subject_args: [host]",
        "not carried: alert_subject: an alert has no label 'host': it is not in the query_key; write the annotation "
        "as a "
        "Jinja2 template, see docs/alerting.md",
    ),
    "a format of its own": (
        "alert_subject: '{0:>5}'\nalert_subject_args: [num_hits]",
        "not carried: alert_subject: a format of its own; write the annotation as a Jinja2 template, see "
        "docs/alerting.md",
    ),
    "a template": (
        "alert_text_type: alert_text_jinja\nalert_text: '{{ x }}'",
        "not carried: alert_text: a template over whole records; ours see alertname, labels, count and threshold; "
        "write "
        "the annotation as a Jinja2 template, see docs/alerting.md",
    ),
}


@pytest.mark.parametrize(("source", "note"), NOTED.values(), ids=NOTED)
def test_what_is_not_carried_is_said_and_the_rule_stays(source: str, note: str) -> None:
    found = imported(f"{FREQUENCY}{source}\n")
    assert len(rules(found)) == 1
    assert [line for line in lines(found) if line.partition(": ")[2] == note], lines(found)


ALERTERS = {
    "slack": (
        "slack",
        "slack_webhook_url: 'https://hooks.slack.com/Sesame'",
        "slack_configs",
        [{"api_url_env": "SLACK_API_URL"}],
    ),
    "two of slack": (
        "slack",
        "slack_webhook_url: ['https://x.org/Sesame1', 'https://x.org/Sesame2']",
        "slack_configs",
        [{"api_url_env": "SLACK_API_URL"}, {"api_url_env": "SLACK_API_URL_2"}],
    ),
    "mattermost": (
        "mattermost",
        "mattermost_webhook_url: 'https://m.org/Sesame'",
        "slack_configs",
        [{"api_url_env": "MATTERMOST_API_URL"}],
    ),
    "rocketchat": (
        "rocketchat",
        "rocket_chat_webhook_url: 'https://r.org/Sesame'",
        "slack_configs",
        [{"api_url_env": "ROCKETCHAT_API_URL"}],
    ),
    "pagerduty": (
        "pagerduty",
        "pagerduty_service_key: Sesame\npagerduty_api_version: v2",
        "pagerduty_configs",
        [{"routing_key_env": "PAGERDUTY_ROUTING_KEY"}],
    ),
    "post": ("post", "http_post_url: 'http://x.org/hook'", "webhook_configs", [{"url": "http://x.org/hook"}]),
    "post a secret": (
        "post2",
        "http_post2_url: 'http://x.org/Sesame99'",
        "webhook_configs",
        [{"url_env": "POST2_URL"}],
    ),
    "dingtalk": ("dingtalk", "dingtalk_access_token: Sesame", "dingtalk_configs", [{"url_env": "DINGTALK_URL"}]),
    "dingtalk signed": (
        "dingtalk",
        "dingtalk_access_token: Sesame\ndingtalk_sign: SECSesame",
        "dingtalk_configs",
        [{"url_env": "DINGTALK_URL", "secret_env": "DINGTALK_SECRET"}],
    ),
    "lark": ("lark", "lark_bot_id: Sesame", "feishu_configs", [{"url_env": "LARK_URL"}]),
    "workwechat": ("workwechat", "work_wechat_bot_id: Sesame", "wecom_configs", [{"url_env": "WORKWECHAT_URL"}]),
    "telegram": (
        "telegram",
        "telegram_bot_token: Sesame\ntelegram_room_id: '-1'",
        "apprise_configs",
        [{"url_env": "TELEGRAM_URL"}],
    ),
    "victorops": (
        "victorops",
        "victorops_api_key: Sesame\nvictorops_routing_key: Sesame",
        "apprise_configs",
        [{"url_env": "VICTOROPS_URL"}],
    ),
    "email": ("email", "email: a@b.org", "apprise_configs", [{"url_env": "EMAIL_URL"}]),
    "debug": ("debug", "", "console_configs", [{}]),
}


@pytest.mark.parametrize(("alerter", "options", "kind", "channels"), ALERTERS.values(), ids=ALERTERS)
def test_an_alerter_is_a_channel_and_its_secret_is_named(
    alerter: str, options: str, kind: str, channels: list[dict[str, str]]
) -> None:
    found = imported(FREQUENCY.replace("alert: debug", f"alert: {alerter}") + options + "\n")
    [receiver] = document(found)["receivers"]
    assert receiver[kind] == channels
    assert "Sesame" not in found.text + "".join(lines(found))
    named = [value for channel in channels for name, value in channel.items() if name.endswith("_env")]
    assert sum("to be set" in line for line in lines(found)) == len(named)


def test_what_a_variable_must_hold_is_said() -> None:
    text = FREQUENCY.replace("debug", "[telegram, dingtalk]")
    found = imported(f"{text}telegram_bot_token: x\ntelegram_room_id: '-100'\ndingtalk_access_token: y\n")
    said = "".join(lines(found))
    assert "TELEGRAM_URL to tgram://BOT_TOKEN/-100," in said
    assert "DINGTALK_URL to https://oapi.dingtalk.com/robot/send?access_token=ACCESS_TOKEN," in said


def test_the_same_bot_in_two_rooms_is_two_addresses() -> None:
    text = FREQUENCY.replace("debug", "telegram") + "telegram_bot_token: x\n"
    found = imported(f"{text}telegram_room_id: '-1'\n", f"{text}telegram_room_id: '-2'\n")
    receivers = document(found)["receivers"]
    assert [each["apprise_configs"] for each in receivers] == [
        [{"url_env": "TELEGRAM_URL"}],
        [{"url_env": "TELEGRAM_URL_2"}],
    ]


def test_an_alerter_with_options_of_its_own_takes_the_rest_from_the_rule() -> None:
    text = FREQUENCY.replace("alert: debug", "alert: [{dingtalk: {dingtalk_access_token: x}}, debug]")
    [receiver] = document(imported(f"{text}dingtalk_sign: s\n"))["receivers"]
    assert receiver == {
        "name": "dingtalk-debug",
        "dingtalk_configs": [{"url_env": "DINGTALK_URL", "secret_env": "DINGTALK_SECRET"}],
        "console_configs": [{}],
    }


@pytest.mark.parametrize("alert", ["alert: [command]", "alert: slack", "", "alert: [1, [x]]"])
def test_a_rule_that_nobody_can_be_told_of_goes_to_the_console_and_that_is_said(alert: str) -> None:
    found = imported(FREQUENCY.replace("alert: debug", alert))
    assert document(found)["receivers"] == [{"name": "console", "console_configs": [{}]}]
    assert [line for line in lines(found) if "so it is told on the console only" in line]


def test_rules_that_tell_the_same_people_share_a_receiver_and_a_route() -> None:
    slack = FREQUENCY.replace("debug", "slack\nslack_webhook_url: https://hooks.slack.com/Sesame")
    found = document(
        imported(
            slack.replace("Errors", "A"),
            slack.replace("Errors", "B") + "realert: {hours: 2}\n",
            FREQUENCY.replace("Errors", "C (all)"),
            FREQUENCY.replace("Errors", "D"),
        )
    )
    assert [each["name"] for each in found["receivers"]] == ["slack", "debug"]
    assert found["route"] == {
        "receiver": "slack",
        "routes": [
            {"receiver": "slack", "matchers": ['alertname="B"'], "repeat_interval": "2h"},
            {"receiver": "debug", "matchers": [r'alertname=~"C \\(all\\)|D"']},
        ],
    }


def test_realert_of_nothing_repeats_nothing() -> None:
    assert document(imported(FREQUENCY + "realert: {minutes: 0}\n"))["route"] == {"receiver": "debug"}


def test_rules_keep_their_order_and_a_second_of_a_name_gets_another() -> None:
    found = imported(FREQUENCY.replace("Errors", "B"), FREQUENCY, FREQUENCY.replace("Errors", "B"))
    assert [rule["alert"] for rule in rules(found)] == ["B", "Errors", "B 2"]
    assert "3.yaml:1: differs: name: a second rule named 'B': it is called 'B 2'; rename it as you like" in lines(found)


def test_a_rule_without_a_name_is_called_as_its_file() -> None:
    assert [rule["alert"] for rule in rules(imported(FREQUENCY.replace("name: Errors\n", "")))] == ["1"]


def test_what_a_rule_imports_is_below_it_and_filters_add_up() -> None:
    found = imported(
        "import: base.yaml\nname: Own\nnum_events: 9\nfilter: [{term: {service: cart}}]\n",
        base="import: [first.yaml, last.yaml]\n" + FREQUENCY + "filter: [{term: {level: error}}]\n",
        first="owner: first\npriority: 3\n",
        last="owner: last\nfilter: [{term: {environment: prod}}]\n",
    )
    [rule] = rules(found)
    assert rule["matchers"] == ['environment="prod"', 'level="ERROR"', 'service="cart"']
    assert (rule["alert"], rule["num_events"], rule["labels"]) == ("Own", 9, {"priority": "3", "owner": "last"})


def test_a_note_names_the_file_that_a_field_is_in_once() -> None:
    base = FREQUENCY.replace("name: Errors\n", "") + "num_event: 5\n"
    found = imported("import: base.yaml\nname: A\n", "import: base.yaml\nname: B\n", base=base)
    assert [line.partition(": no field")[0] for line in lines(found) if "num_event" in line] == [
        "base.yaml:6: not carried: num_event"
    ]


def test_a_file_that_imports_itself_is_read_once() -> None:
    found = imported("import: base.yaml\n" + FREQUENCY, base="import: 1.yaml\nowner: me\n")
    assert [rule["labels"] for rule in rules(found)] == [{"owner": "me"}]
    assert "base.yaml:1: not carried: import: the file imports itself; remove it and import again" in lines(found)


def test_a_file_that_cannot_be_read_is_noted_and_the_others_are_carried() -> None:
    found = imported("name: [", FREQUENCY, "import: none.yaml\nname: X\n", "- a list\n")
    assert [rule["alert"] for rule in rules(found)] == ["Errors"]
    noted = [line for line in lines(found) if ": the file: " in line and "realert" not in line]
    assert [line.partition(": not carried")[0] for line in noted if "import again" in line] == [
        "1.yaml:1",
        "none.yaml:0",
        "4.yaml:1",
    ]


def test_when_none_can_be_read_every_fault_is_raised() -> None:
    with pytest.raises(ConfigurationError) as raised:
        imported("name: [", "- a list")
    assert [str(fault).partition(":")[0] for fault in raised.value.faults] == ["1.yaml", "2.yaml"]


STORY = """\
rules: rules.yaml
evaluate_every: 10s
tests:
- name: the fifth record in a minute of that service and level fires, in its bucket, once
  events:
{events}
  - {{at: 30s, topic: app, record: {{levelname: INFO, appName: cart, message: fine}}}}
  - {{at: 30s, topic: other, record: {{levelname: ERROR, appName: cart, message: elsewhere}}}}
  expect:
  - {{at: 30s, firing: []}}
  - {{at: 40s, firing: ['Errors{{service="cart"}}']}}
  expect_notifications:
  - {{at: 40s, receiver: debug, kind: firing, alerts: ['Errors{{service="cart"}}']}}
  - {{at: 1m10s, receiver: debug, kind: resolved, alerts: ['Errors{{service="cart"}}']}}
"""


def test_a_frequency_rule_pages_at_the_record_that_it_paged_at() -> None:
    text = imported(FREQUENCY + "query_key: appName\nfilter: [{term: {levelname: error}}]\n").text
    records = [
        f"  - {{at: {at}s, topic: app, record: {{levelname: ERROR, appName: cart, message: no}}}}"
        for at in (0, 10, 20, 30, 40)
    ]
    later = "  - {at: 2m, topic: app, record: {levelname: INFO, appName: cart, message: fine}}"
    story = STORY.format(events="\n".join([*records, later]))
    [result] = rehearse(story, "story.yaml", lambda name: text)
    assert result.errors == ()
