"""Credentials: where they come from, what is said when they are missing, and that nobody sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultline.dispatch.delivery import DeliveryStatus
from faultline.dispatch.receivers.slack import SlackReceiver
from faultline.dispatch.secrets import (
    Secret,
    environment_connection,
    from_connection,
    from_environment,
    from_file,
    in_clear,
    mask,
)
from faultline.errors import PermanentError, TransientError
from tests.contracts.values import notification

URL = "https://hooks.slack.com/services/T024BE7LD/B0Z1X2Y3/abcDEF123ghiJKL"


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", f" {URL}\n")
    assert from_environment("SLACK_URL").read() == URL


def test_a_secret_is_read_from_a_file_each_time_so_that_it_can_be_renewed(tmp_path: Path) -> None:
    secret = from_file(str(tmp_path / "slack"))
    for value in ("first value", "second value"):
        (tmp_path / "slack").write_text(value + "\n")
        assert secret.read() == value


def test_a_connection_has_its_first_credential_as_password_and_others_in_its_extra() -> None:
    def connections(conn_id: str) -> dict[str, str]:
        return {"password": URL, "secret": "SECabc"} if conn_id == "robot" else {}

    assert from_connection("robot", "password", connections).read() == URL
    assert from_connection("robot", "secret", connections).read() == "SECabc"
    assert from_connection("other", "secret", connections).read() == ""
    with pytest.raises(PermanentError, match="the password of connection other is empty"):
        from_connection("other", "password", connections).read()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"conn_type": "http", "password": URL, "extra": {"secret": "SECabc"}}),
        json.dumps({"password": URL, "extra": '{"secret": "SECabc"}'}),
        "http://:https%3A%2F%2Fhooks.slack.com%2Fservices%2FT024BE7LD%2FB0Z1X2Y3%2FabcDEF123ghiJKL@/?secret=SECabc",
    ],
    ids=["JSON", "JSON in JSON", "URI"],
)
def test_outside_airflow_a_connection_is_an_environment_variable(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ROBOT", text)
    assert environment_connection("robot") == {"password": URL, "secret": "SECabc"}


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (from_environment("NOT_SET_ANYWHERE"), "the environment variable NOT_SET_ANYWHERE is not set"),
        (from_file("/nowhere/at/all"), "the file /nowhere/at/all cannot be read: FileNotFoundError"),
        (from_connection("gone", "password", environment_connection), "AIRFLOW_CONN_GONE, which is not set"),
    ],
    ids=["environment", "file", "connection"],
)
def test_a_missing_secret_is_an_answer_that_says_what_is_missing(secret: Secret, said: str) -> None:
    delivery = SlackReceiver("ops/slack/1", secret).send(notification())
    assert delivery.status == DeliveryStatus.PERMANENT
    assert said in str(delivery.provider_message)


def test_a_store_of_connections_that_is_away_is_worth_another_try() -> None:
    def away(_conn_id: str) -> dict[str, str]:
        raise TransientError("Airflow's API does not answer")

    secret = from_connection("robot", "password", away)
    assert SlackReceiver("ops/slack/1", secret).send(notification()).status == DeliveryStatus.TRANSIENT


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f'HTTP Request: POST {URL} "HTTP/1.1 200 OK"',
        "POST /services/T024BE7LD/B0Z1X2Y3/abcDEF123ghiJKL",
        "token abcDEF123ghiJKL is unknown",
        json.dumps({"url": URL}),
        "https%3A%2F%2Fhooks.slack.com%2Fservices%2FT024BE7LD%2FB0Z1X2Y3%2FabcDEF123ghiJKL",
    ],
)
def test_every_shape_of_a_secret_is_masked(text: str) -> None:
    shown = mask(text, [URL])
    assert "abcDEF123ghiJKL" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("mailto://alarm:S3cretPass@smtp.example.com?to=ops@example.com", ["S3cretPass"]),
        ("mailto://alarm:hunterpass@smtp.example.com?to=ops@example.com", ["hunterpass"]),
        ("https://me:hunterpass@a.example/hook", ["hunterpass"]),
        ("https://a.example/hook?key=abcdefgh&x=1", ["abcdefgh"]),
        ("tgram://123456789:AAbbCCddEEff/12315544", ["123456789", "AAbbCCddEEff"]),
        ("https://oapi.dingtalk.com/robot/send?access_token=abc123def456", ["abc123def456"]),
    ],
)
def test_the_parts_of_an_address_are_masked_wherever_they_stand(address: str, secrets: list[str]) -> None:
    shown = mask("; ".join(f"refused {secret} for now" for secret in secrets), [address])
    assert not [secret for secret in secrets if secret in shown]


def test_the_words_around_a_secret_stay_readable() -> None:
    assert mask("the robot does not send services to robots", [URL]) == "the robot does not send services to robots"


def test_no_repr_shows_a_secret() -> None:
    secret = Secret("a test", lambda: URL)
    receiver = SlackReceiver("ops/slack/1", secret)
    assert "abcDEF" not in f"{secret!r} {receiver!r} {vars(receiver)}"


def test_what_is_in_clear_is_not_masked() -> None:
    assert in_clear("http://127.0.0.1:9000/alerts").read() == "http://127.0.0.1:9000/alerts"
    assert mask("no /alerts here") == "no /alerts here"
