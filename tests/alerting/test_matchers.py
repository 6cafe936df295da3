from __future__ import annotations

import pytest

from faultline.alerting.matchers import Matcher, matches_all, parse_matchers

LABELS = {"service": "payments", "level": "ERROR", "message": 'a "quoted" word', "path": "a\nb"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('service="payments"', True, id="equal"),
        pytest.param('service="checkout"', False, id="not-this-value"),
        pytest.param("service = payments", True, id="unquoted-with-spaces"),
        pytest.param('service!="checkout"', True, id="unequal"),
        pytest.param('level=~"ERROR|CRITICAL"', True, id="one-of"),
        pytest.param('level=~"ERR"', False, id="a-regex-matches-the-whole-value"),
        pytest.param('level!~"ERR.*"', False, id="regex-excluded"),
        pytest.param('host=""', True, id="absent-is-empty"),
        pytest.param('host!="h1"', True, id="absent-is-not-a-value"),
        pytest.param('host=~".+"', False, id="absent-does-not-match-something"),
        pytest.param('{service="payments", level="ERROR"}', True, id="braces-all-match"),
        pytest.param('service="payments",level="INFO",', False, id="all-must-match"),
        pytest.param(r'message="a \"quoted\" word"', True, id="escaped-quotes"),
        pytest.param(r'path="a\nb"', True, id="escaped-newline"),
        pytest.param('path=~"a.b"', True, id="a-dot-matches-a-newline"),
        pytest.param('"service"="payments"', True, id="quoted-name"),
    ],
)
def test_a_matcher_reads_as_in_alertmanager(text: str, expected: bool) -> None:
    assert matches_all(parse_matchers(text), LABELS) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "not a matcher", id="empty"),
        pytest.param("service", "not a matcher: 'service'", id="no-operator"),
        pytest.param('service=="x"', "not a matcher", id="unknown-operator"),
        pytest.param('{service="x"', "not a matcher", id="unclosed-brace"),
        pytest.param('service="x" level="y"', "not a matcher", id="no-comma"),
        pytest.param('level=~"ERROR|("', "not a regular expression: 'ERROR|('", id="bad-regex"),
    ],
)
def test_a_faulty_matcher_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("|", r"\|").replace("(", r"\(")):
        parse_matchers(text)


@pytest.mark.parametrize("name", ["message", "kubernetes.labels.app", "@tenant", 'a "b"', "1st"])
def test_a_matcher_prints_as_it_is_written(name: str) -> None:
    matcher = Matcher(name, "=~", 'a "b"\n\\d')
    assert parse_matchers(str(matcher)) == (matcher,)
