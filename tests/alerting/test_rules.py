from __future__ import annotations

from pathlib import Path

import pytest

from faultline.alerting.rules import load_rules
from faultline.alerting.warnings import find_warnings
from faultline.errors import ConfigurationError

GOOD = """\
groups:
- name: shop
  rules:
  - alert: DbDown
    matchers: ['service="db"', 'level=~"ERROR|CRITICAL"']
    query_key: [environment]
    num_events: 5
    timeframe: 30s
    labels: {severity: critical}
    annotations: {summary: "{{ count }} errors in {{ labels.environment }}"}
  - alert: PaymentErrors
    topics: [app-logs]
    query_key: [environment, host]
    num_events: 5
    timeframe: 1m
    for: 10s
    keep_firing_for: 2m
route:
  receiver: ops
  group_wait: 5s
  routes:
  - {receiver: hook, matchers: [severity="critical"], continue: true}
chains:
- name: outage
  path: [DbDown, PaymentErrors]
  equal: [environment]
receivers:
- {name: ops, console_configs: [{}]}
- {name: hook, webhook_configs: [{url: "http://127.0.0.1:9/hook"}]}
"""


def test_a_good_file_loads() -> None:
    rules = load_rules(GOOD)
    assert list(rules.rules) == ["DbDown", "PaymentErrors"]
    assert rules.receivers["hook"].webhook_configs[0].url == "http://127.0.0.1:9/hook"
    assert [path.rules for path in rules.graph.paths_to("PaymentErrors")] == [("DbDown", "PaymentErrors")]


def test_the_example_in_the_documentation_loads() -> None:
    page = Path(__file__).parents[2] / "docs" / "alerting.md"
    example = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert list(load_rules(example, page.name).rules) == ["DbDown", "PaymentErrors", "CheckoutFailed"]


def test_the_hash_names_the_version_of_the_text() -> None:
    assert load_rules(GOOD).hash == load_rules(GOOD).hash != load_rules(GOOD + "\n").hash


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load_rules(text, "my.yaml")
    return [str(fault) for fault in raised.value.faults]


def line_with(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


FAULTS = {
    "unknown-rule": ("[DbDown, Pay", "[DbDwn, Pay", "chain 'outage': no rule 'DbDwn'; did you mean 'DbDown'?"),
    "unknown-receiver": ("receiver: ops", "receiver: op", "no receiver 'op'; did you mean 'ops'?"),
    "in-a-child-route": ("receiver: hook", "receiver: hooks", "no receiver 'hooks'; did you mean 'hook'?"),
    "unknown-field": ("keep_firing_for", "keep_firing", "unknown field 'keep_firing'; did you mean 'keep_firing_for'?"),
    "every-label-and-another": (
        "  group_wait",
        "  group_by: [host, '...']\n  group_wait",
        "'...' means every label, and stands alone",
    ),
    "equal-not-produced": (
        "equal: [environment]",
        "equal: [host]",
        "chain 'outage': rule 'DbDown' has no label 'host'; add it to its query_key",
    ),
    "duplicate-rule": ("alert: PaymentErrors", "alert: DbDown #", "a second rule named 'DbDown'"),
    "duplicate-receiver": ("hook, webhook", "ops, webhook", "a second receiver named 'ops'"),
    "bad-regex": (
        "ERROR|CRITICAL",
        "ERROR|(",
        "groups.0.rules.0.matchers: not a regular expression: 'ERROR|(': missing ), "
        "unterminated subpattern at position 6",
    ),
    "bad-matcher": (
        'service="db"',
        "service is db",
        """groups.0.rules.0.matchers: not a matcher: 'service is db'; write name="value" with =, !=, =~ or !~""",
    ),
    "bad-template": (
        "{{ count }}",
        "{{ count",
        "groups.0.rules.0.annotations.summary: not a template: expected token 'end of print statement', got 'errors'",
    ),
    "unknown-variable": (
        "{{ count }}",
        "{{ counts }}",
        "groups.0.rules.0.annotations.summary: unknown variable 'counts' in a template; "
        "there are alertname, labels, count, threshold, starts_at",
    ),
    "bad-duration": (
        "timeframe: 30s",
        "timeframe: 30",
        "groups.0.rules.0.timeframe: not a duration: 30; write a number and a unit, such as 30s, 5m or 1h30m",
    ),
    "no-timeframe": ("timeframe: 30s", "timeframe: 0s", "groups.0.rules.0.timeframe: must be longer than 0"),
    "label-twice": (
        "{severity: critical}",
        "{environment: prod}",
        "label 'environment' is in query_key already, where records set it",
    ),
    "bad-url": (
        '{url: "http:',
        '{url: "ftp:',
        "receivers.1.webhook_configs.0.url: not an http or https URL",
    ),
    "root-with-matchers": (
        "receiver: ops",
        "matchers: [a=b]\n  receiver: ops",
        "the root route matches everything; put matchers into its routes",
    ),
    "chain-of-one": (
        "path: [DbDown, PaymentErrors]",
        "path: [DbDown]",
        "chains.0.path: needs a path of at least two rules, or edges",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_reported_with_its_line(old: str, new: str, message: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert f"my.yaml:{line_with(text, new)}: {message}" in faults_of(text)


def test_a_root_route_needs_a_receiver() -> None:
    text = GOOD.replace("  receiver: ops\n", "")
    assert faults_of(text) == [f"my.yaml:{line_with(text, 'route:')}: the root route needs a receiver"]


def test_a_cycle_over_two_chains_is_refused_with_its_path() -> None:
    text = GOOD.replace("receivers:\n", "- name: back\n  path: [PaymentErrors, DbDown]\nreceivers:\n")
    line = line_with(text, "path: [PaymentErrors, DbDown]")
    assert faults_of(text) == [f"my.yaml:{line}: a cycle: DbDown → PaymentErrors → DbDown; no alert could be the root"]


def test_every_fault_is_reported_at_once_in_the_order_of_the_lines() -> None:
    changed = GOOD.replace("[DbDown, Pay", "[Nothing, Pay").replace("receiver: ops", "receiver: nobody")
    text = changed.replace("equal: [environment]", "equal: [region]")
    assert faults_of(text) == [
        f"my.yaml:{line_with(text, 'nobody')}: no receiver 'nobody'",
        f"my.yaml:{line_with(text, 'Nothing')}: chain 'outage': no rule 'Nothing'",
        f"my.yaml:{line_with(text, 'region')}: chain 'outage': rule 'PaymentErrors' has no label 'region'; "
        "add it to its query_key",
    ]


def test_a_syntax_error_has_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"rules\.yaml:2: not YAML"):
        load_rules("groups: [\nroute: }")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("groups: []\nroute: \x00", "my.yaml:2: not YAML: special characters are not allowed"),
        ("groups: 2026-13-45", "my.yaml:0: not YAML: month must be in 1..12"),
        ("groups: !!bool x", "my.yaml:0: not YAML: 'x'"),
        ("&all [*all]", "my.yaml:1: not YAML for us: an alias that contains itself"),
        ("groups: !mine [1]", "my.yaml:1: missing field 'route'"),
        (
            GOOD.replace("for: 10s", "for: 99999999y"),
            ": groups.0.rules.1.for: too long a duration: '99999999y'; the longest is 100y",
        ),
        (GOOD.replace("127.0.0.1", "[::1"), ".webhook_configs.0.url: not a URL: "),
    ],
    ids=["control character", "no such date", "no such boolean", "alias of itself", "tag", "duration", "address"],
)
def test_whatever_is_wrong_with_the_text_is_a_fault_and_not_a_crash(text: str, fault: str) -> None:
    assert any(fault in found for found in faults_of(text))


def test_a_fault_in_what_a_merge_key_brought_in_has_the_line_of_where_it_went() -> None:
    text = GOOD.replace("  - alert: PaymentErrors\n", "  - <<: {for: soon}\n    alert: PaymentErrors\n").replace(
        "    for: 10s\n", ""
    )
    line = line_with(text, "<<")
    assert [fault for fault in faults_of(text) if fault.startswith(f"my.yaml:{line}: groups.0.rules.1.for: not a dur")]


def test_a_key_that_is_there_twice_is_named_without_its_values() -> None:
    [fault] = faults_of("route: Sesame1\nroute: Sesame2\n")
    assert fault == 'my.yaml:2: not YAML: found duplicate key "route"'


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        (
            "silences:\n- matchers: [a=b]\n  starts_at: 2026-01-02T00:00:00Z\n  ends_at: 2026-01-01T00:00:00Z\n",
            "ends_at: it ends before it starts, and silences nothing",
        ),
        (
            "silences:\n- matchers: [a=b]\n  starts_at: 2026-01-02T00:00:00Z\n  ends_at: 2026-01-02T00:00:00Z\n",
            "ends_at: it ends before it starts, and silences nothing",
        ),
        ("silences:\n- {matchers: [a=b], starts_at: 2026-01-02T00:00:00Z, ends_at: 2026-01-03T00:00:00Z}\n", None),
    ],
    ids=["backwards", "empty", "good"],
)
def test_a_silence_that_silences_nothing_is_doubted_with_its_line(more: str, warning: str | None) -> None:
    text = GOOD + more
    found = [str(fault) for fault in find_warnings(load_rules(text).file, text, "my.yaml") if "silences" in str(fault)]
    place, _, message = (warning or "").partition(": ")
    assert found == ([f"my.yaml:{line_with(text, place)}: {message}"] if warning else [])
