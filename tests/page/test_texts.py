"""The page speaks each of its languages completely."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from fastapi.testclient import TestClient

import faultline.page.templates
from faultline.alerting.alerts import MuteReason, SuppressionOutcome
from faultline.dispatch.conclusion import Verdict
from faultline.dispatch.delivery import OutboxState
from faultline.model import AlertState, NotificationKind
from faultline.page import concerns
from faultline.page.completeness import HourState
from faultline.page.lags import Level
from faultline.page.probes import Standing
from faultline.page.texts import LANGUAGES, choose_language, texts_of
from faultline.page.views import VIEWS, changes
from faultline.page.views.errors import By

TEMPLATES = sorted(Path(faultline.page.templates.__path__[0]).glob("*.j2"))
USED = sorted({key for file in TEMPLATES for key in re.findall(r"""\bt\("([a-z_.]+[a-z_])"[,)]""", file.read_text())})
SOURCES = ("kafka", "tables", "storage", "database")
HOW = ("behind", "unknown", "not_begun")
CONCERNS = re.findall(r"""Level\.\w+, "(\w+)\"""", Path(concerns.__file__).read_text())
CONCERNS += ["late", "unparsable", *(f"{lane}_{how}" for lane in ("counting", "archive") for how in HOW)]
MADE = [
    *(f"states.{state}" for state in AlertState),
    *(f"told.{state}" for state in OutboxState),
    *(f"now.why.{reason}" for reason in MuteReason),
    *(f"nav.{view.NAME}" for view in VIEWS),
    *(f"languages.{language}" for language in LANGUAGES),
    *(f"history.tabs.{view}" for view in ("history", "suppressed", "messages")),
    *(f"history.conclusion.{verdict}" for verdict in Verdict),
    *(f"history.reasons.{reason}" for reason in MuteReason),
    *(f"history.kept.{reason}" for reason in MuteReason),
    *(f"history.outcomes.{outcome.replace(' ', '_')}" for outcome in SuppressionOutcome),
    *(f"history.kinds.{kind}" for kind in NotificationKind),
    *(f"history.sent.{state}" for state in OutboxState),
    *(f"errors.bys.{by}" for by in get_args(By)),
    *(f"errors.{name}" for name in ("service", "environment", "topic", "rule")),
    *(f"errors.any_{name}" for name in ("service", "environment", "topic")),
    *(f"rules.tabs.{view}" for view in ("rules", "changes", "edit")),
    *(f"rules.{key}" for key in ("causes", "effects")),
    *(f"rules.kinds.{kind}" for kind in changes.KINDS),
    *(f"rules.trial.ended.{ended}" for ended in ("done", "silent", "long", "failed")),
    *(f"rules.trial.{what}" for what in ("pages", "alerts", "suppressed")),
    *(f"pipeline.levels.{level}" for level in Level),
    *(f"pipeline.standings.{standing}" for standing in Standing),
    *(f"pipeline.sources.{source}" for source in SOURCES),
    *(f"pipeline.concerns.{source}_{standing}" for source in SOURCES for standing in ("silent", "failed")),
    *(f"pipeline.concerns.{what}" for what in CONCERNS),
    *(f"pipeline.hours.states.{state}" for state in HourState),
    *(f"pipeline.hours.legend.{state}" for state in HourState if state is not HourState.BEFORE),
    *(f"search.ended.{ended}" for ended in ("silent", "long", "failed")),
]


def leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def test_every_language_has_the_same_keys_and_the_same_places_in_them() -> None:
    tables = [
        {key: sorted(re.findall(r"{\w+}", text)) for key, text in leaves(texts_of(language).table)}
        for language in LANGUAGES
    ]
    forms = [{key: places for key, places in table.items() if not key.endswith(".one")} for table in tables]
    assert all(table.keys() == tables[0].keys() for table in tables)
    assert all(table == forms[0] for table in forms)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", sorted({*USED, *MADE}))
def test_every_key_that_is_used_has_a_text(language: str, key: str) -> None:
    [spoken] = [each for each in LANGUAGES if each == language]
    places = re.findall(r"{(\w+)}", " ".join(text for name, text in leaves(texts_of(spoken).table) if key in name))
    assert texts_of(spoken)(key, **dict.fromkeys(["n", *places], 1))


def test_a_number_chooses_the_form_and_is_easy_to_read() -> None:
    texts = texts_of("en")
    assert [texts("now.effects", n=n) for n in (1, 1234)] == ["explains one alert", "explains 1,234 alerts"]


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "fr, en;q=0.5, zh;q=0.9", "zh"),
        (None, "en-GB,zh", "en"),
        (None, "de, zh;q=x", "en"),
        ("zh", "en", "zh"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_language_is_the_one_asked_for_or_accepted(asked: str | None, accepted: str, language: str) -> None:
    assert choose_language(asked, accepted) == language


def test_a_language_that_was_asked_for_stays(client: TestClient) -> None:
    page = client.get("/now", params={"lang": "zh"}).text
    assert '<html lang="zh">' in page
    assert 'href="/faultline/now?lang=zh" aria-current="page">当前告警' in page
    assert '<input type="hidden" name="lang" value="zh">' in page
