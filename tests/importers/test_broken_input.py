"""Whatever somebody calls a configuration: a good file comes of it, or faults; nothing raises, no secret is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.alerting.rules import load_rules
from faultline.errors import ConfigurationError
from faultline.importers import alertmanager, elastalert
from faultline.importers.report import Conversion

SECRET = "Sesame-0pen-9f3a"

ALERTMANAGER = [
    *("global", "templates", "route", "receivers", "inhibit_rules", "time_intervals", "mute_time_intervals", "name"),
    *("receiver", "matchers", "match", "match_re", "continue", "routes", "group_by", "group_wait", "group_interval"),
    *("repeat_interval", "active_time_intervals", "times", "start_time", "end_time", "weekdays", "location", "years"),
    *("source_matchers", "target_match", "equal", "webhook_configs", "slack_configs", "email_configs", "url", "title"),
    *("pagerduty_configs", "send_resolved", "to", "text", "telegram_configs", "chat_id", "wechat_configs", "url_file"),
]
ELASTALERT = [
    *(
        "name",
        "type",
        "index",
        "num_events",
        "timeframe",
        "query_key",
        "filter",
        "alert",
        "realert",
        "fields",
        "import",
    ),
    *("threshold", "spike_height", "spike_type", "cardinality_field", "max_cardinality", "match_bucket_filter"),
    *("max_percentage", "buffer_time", "terms_window_size", "priority", "owner", "alert_subject", "alert_subject_args"),
    *("alert_text", "description", "is_enabled", "email", "smtp_port", "es_host", "minutes", "term", "terms", "bool"),
    *("query_string", "query", "must_not", "slack", "email", "alert_text_type"),
]
SECRETS = ["slack_api_url", "api_url", "routing_key", "service_key", "bot_token", "api_secret", "auth_password"]
ALERTER_SECRETS = [
    "slack_webhook_url",
    "dingtalk_access_token",
    "dingtalk_sign",
    "pagerduty_service_key",
    "es_password",
]
CONDITIONS = ("match", "match_re", "target_match", "filter", "match_bucket_filter")
WORDS = [
    *("ops", "a", "", "frequency", "spike", "flatline", "cardinality", "percentage_match", "new_term", "any", "slack"),
    *("dingtalk", "pagerduty", "debug", "up", "1m", "0s", "-5m", "monday", "09:00", "24:00", "UTC", "a=b", 'a=~"("'),
    *(
        "{{ x }}",
        "{0} {}",
        "{",
        "%",
        "level:ERROR",
        "message:x",
        "app-*",
        "http://h/x",
        "https://h/S1",
        "a\nb",
        "#",
        "*",
    ),
    *("\x07", "\ud800", "é", "null", "true", "x: y", "- z", "&a", "'", '"', "%Y", "${A}"),
]
SCALARS = st.one_of(
    st.sampled_from(WORDS), st.integers(-2, 10**18), st.booleans(), st.none(), st.floats(), st.text(max_size=4)
)


def documents(keys: list[str], secrets: list[str]) -> st.SearchStrategy[Any]:
    """Mappings of the source's own words, in places where they belong and where they do not."""

    def within(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        fields = st.dictionaries(st.sampled_from(keys), inner, max_size=8)
        hidden = st.dictionaries(st.sampled_from(secrets), st.just(SECRET), max_size=2)
        return st.one_of(st.lists(inner, max_size=3), st.builds(lambda a, b: {**a, **b}, fields, hidden))

    mappings = st.recursive(SCALARS, within, max_leaves=25).filter(lambda value: isinstance(value, dict))
    return mappings.map(without_secret_conditions)


def without_secret_conditions(value: Any) -> Any:
    """The document without secrets where any name is a label and any text its value: those are meant to be shown."""
    if isinstance(value, list):
        return [without_secret_conditions(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {name for name in value if name in CONDITIONS and SECRET in json.dumps(value[name])}
    return {name: without_secret_conditions(item) for name, item in value.items() if name not in shown}


def judge(found: Conversion) -> None:
    """A good file, with every note a line that shows no secret."""
    load_rules(found.text)
    shown = [found.text, *map(str, found.notes)]
    assert not [text for text in shown if SECRET in text]


@settings(max_examples=300, deadline=None)
@given(documents(ALERTMANAGER, SECRETS))
def test_any_configuration_of_alertmanager_becomes_a_good_file(document: dict[str, Any]) -> None:
    judge(alertmanager.convert(json.dumps(document), "am.yml"))


SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "global": st.dictionaries(st.sampled_from(SECRETS), st.just(SECRET)),
        "route": documents(ALERTMANAGER, SECRETS),
        "receivers": st.lists(documents(ALERTMANAGER, SECRETS), max_size=3),
        "inhibit_rules": st.lists(documents(ALERTMANAGER, SECRETS), max_size=2),
        "time_intervals": st.lists(documents(ALERTMANAGER, SECRETS), max_size=2),
    },
)


@settings(max_examples=300, deadline=None)
@given(SHAPED)
def test_any_configuration_of_the_right_shape_becomes_a_good_file(document: dict[str, Any]) -> None:
    judge(alertmanager.convert(json.dumps(document), "am.yml"))


@settings(max_examples=400, deadline=None)
@given(st.lists(documents(ELASTALERT, ALERTER_SECRETS), min_size=1, max_size=3))
def test_any_rules_of_elastalert_become_a_good_file(rules: list[dict[str, Any]]) -> None:
    files = {f"{number}.yaml": json.dumps(rule) for number, rule in enumerate(rules)}
    judge(elastalert.convert(list(files), lambda name: files.get(name, "{}")))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@ \n\t\x00é", max_size=40))
def test_any_text_is_a_configuration_or_a_fault(text: str) -> None:
    for found in (
        outcome(lambda: alertmanager.convert(text, "f.yml")),
        outcome(lambda: elastalert.convert(["f.yml"], lambda name: text)),
    ):
        if isinstance(found, ConfigurationError):
            assert {fault.file for fault in found.faults} == {"f.yml"}
        else:
            judge(found)


def outcome(convert: Callable[[], Conversion]) -> Conversion | ConfigurationError:
    try:
        return convert()
    except ConfigurationError as error:
        return error
