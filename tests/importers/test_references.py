"""Credentials: which addresses may stand in the file, what variables are called, what goes into them."""

from __future__ import annotations

import pytest
from apprise import Apprise

from faultline.importers import alertmanager_receivers, elastalert_alerters
from faultline.importers.references import References, is_clear, mail_address
from faultline.importers.report import Report, Spot

SPOT = Spot("f.yml", 1, "x")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/hook",
        "https://alerts.example.org/api/v1/alerts",
        "http://web-01:8080",
        "http://alert-log/",
    ],
)
def test_an_address_of_words_and_small_numbers_may_stand_in_the_file(url: str) -> None:
    assert is_clear(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/t/b/x",
        "https://user:password@example.org/hook",
        "https://user@example.org/hook",
        "https://example.org/hook?page=1",
        "https://example.org/hook#part",
        "https://example.org/hook/AbCdEf",
        "https://example.org/hook/48291733",
        "https://example.org/hook/a1b2c3d4e5",
        "https://example.org/abcdefghijklmnopqrstuvwxyz",
        "https://eo3x9ab2.example.org/hook",
        "https://example.org/%61",
        "https://example.org:port/hook",
        "https://example.org:99999/hook",
        "https://[::1]/hook",
        "ftp://example.org/hook",
        "https://",
        "",
    ],
)
def test_an_address_that_could_hold_a_secret_may_not(url: str) -> None:
    assert not is_clear(url)


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        ("ops slack api_url", "OPS_SLACK_API_URL"),
        ("slack slack api_url", "SLACK_API_URL"),
        ("team-a/b pagerduty routing_key", "TEAM_A_B_PAGERDUTY_ROUTING_KEY"),
        ("1st webhook url", "RECEIVER_1ST_WEBHOOK_URL"),
        ("运维 webhook url", "WEBHOOK_URL"),
        ("…", "RECEIVER"),
    ],
)
def test_a_variable_is_called_as_what_it_is_for(hint: str, name: str) -> None:
    assert References(Report()).to("url", "Sesame", hint, SPOT) == {"url_env": name}


def test_the_same_credential_has_one_name_and_another_one_another() -> None:
    report = Report()
    references = References(report)
    names = [references.to("url", secret, "ops url", SPOT)["url_env"] for secret in ("a", "b", "a")]
    assert names == ["OPS_URL", "OPS_URL_2", "OPS_URL"]
    assert len(report.notes()) == 2


@pytest.mark.parametrize("secret", ["$SLACK_URL", "${SLACK_URL}"])
def test_what_is_filled_in_from_a_variable_stays_in_it(secret: str) -> None:
    report = Report()
    assert References(report).to("api_url", secret, "ops", SPOT) == {"api_url_env": "SLACK_URL"}
    assert not report.notes()


@pytest.mark.parametrize(
    ("smarthost", "address"),
    [
        (
            "smtp.example.org:587",
            "mailtos://USER:PASSWORD@smtp.example.org:587?from=a@example.org&to=b@example.org&mode=starttls",
        ),
        (
            "smtp.example.org:465",
            "mailtos://USER:PASSWORD@smtp.example.org:465?from=a@example.org&to=b@example.org&mode=ssl",
        ),
        ("localhost", "mailtos://USER:PASSWORD@localhost?from=a@example.org&to=b@example.org&mode=starttls"),
    ],
)
def test_a_mail_server_is_an_address_that_apprise_knows(smarthost: str, address: str) -> None:
    assert mail_address(smarthost, "a@example.org", "b@example.org") == address
    assert Apprise.instantiate(address, suppress_exceptions=True) is not None


def test_what_the_source_does_not_say_of_mail_is_for_the_reader() -> None:
    assert (
        mail_address("", "", "{{ .GroupLabels.mail }}") == "mailtos://USER:PASSWORD@HOST?from=FROM&to=TO&mode=starttls"
    )


FILLED_IN = {
    "BOT_TOKEN": "123456789:abcdefg_hijklmnop",
    "USER_KEY@TOKEN": "u" * 30 + "@" + "t" * 30,
    "ROUTING_KEY@API_KEY": "team@" + "a" * 8 + "-1234-1234-1234-123456789012",
    "API_KEY": "abcdabcd-abcd-abcd-abcd-abcdabcdabcd",
    "{chat_id}": "-10012345",
    "{telegram_room_id}": "-10012345",
}
FOR_APPRISE = sorted(
    {
        carrier.holds
        for table in (alertmanager_receivers.CARRIERS, elastalert_alerters.ALERTERS)
        for carrier in table.values()
        if carrier.ours == "apprise_configs" and "://" in carrier.holds
    }
)


@pytest.mark.parametrize("holds", FOR_APPRISE)
def test_what_a_variable_for_apprise_must_hold_is_an_address_that_it_knows(holds: str) -> None:
    for word, value in FILLED_IN.items():
        holds = holds.replace(word, value)
    assert Apprise.instantiate(holds, suppress_exceptions=True) is not None


@pytest.mark.parametrize(
    "url",
    [
        f"https://discord.com/api/webhooks/123456789012345678/{'a' * 68}",
        "https://prod-15.westus.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/"
        "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=abcdef",
        "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=t",
    ],
    ids=["discord", "workflows of Teams", "Google Chat"],
)
def test_apprise_knows_the_providers_own_addresses(url: str) -> None:
    assert Apprise.instantiate(url, suppress_exceptions=True) is not None
