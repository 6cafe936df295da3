"""Errors in Airflow, in a browser: an outage over time, closer, against a rule, and the records behind it on HDFS."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pytest
from playwright.sync_api import FrameLocator, Page, expect

from dev.airflow import LOGIN
from dev.browser import faultline, log_in
from dev.incident import Incident
from faultline.adapters.database import Database
from faultline.alerting.counts import count_events
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from tests.archive.search.brute import append
from tests.contracts.values import BUCKET

LOST = "cart 5311 was lost on its way"
TOPIC = TopicConfig(name="app-logs")
ERRORS = "/plugin/faultline/faultline/errors"


@pytest.fixture(scope="session")
def archived(archive_url: str) -> pa.Table:
    """What two services logged in the outage, as Kafka held it; it is in the archive."""
    now = datetime.now(UTC)
    value = {"@timestamp": (now - timedelta(seconds=30)).isoformat(), "message": LOST, "level": "error"}
    records = [{**value, "service": service, "environment": "prod"} for service in ("checkout", "payments")]
    raw = raw_table([json.dumps(each).encode() for each in records], at=now)
    append(archive_url, raw, TOPIC.name)
    return raw


@pytest.fixture
def errors(page: Page, incident: Incident) -> FrameLocator:
    """The view Errors within Airflow, the chart drawn."""
    page.goto(f"{ERRORS}?since=10m")
    log_in(page, *LOGIN)
    frame = faultline(page)
    expect(frame.locator(".chart .bars .point").first).to_be_attached()
    return frame


def drag(page: Page, frame: FrameLocator, start: float, end: float) -> None:
    """Drag across the chart, between these parts of its width."""
    box = frame.locator(".chart .nsewdrag").first.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=5)
    page.mouse.up()


def address(page: Page) -> dict[str, list[str]]:
    """What is asked for in the address of Airflow's window, which follows the page's own."""
    return parse_qs(urlsplit(unquote(page.url)).query)


def span(page: Page) -> tuple[datetime, datetime]:
    found = address(page)
    start, end = (datetime.fromisoformat(f"{found[name][0]}+00:00") for name in ("since", "until"))
    return start, end


def test_dragging_across_the_chart_asks_for_a_shorter_time(page: Page, errors: FrameLocator) -> None:
    before = datetime.now(UTC)
    drag(page, errors, 0.5, 0.9)
    expect(errors.get_by_label("to", exact=True)).to_have_value(re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"))
    page.wait_for_url("**until**")
    start, end = span(page)
    assert timedelta(minutes=3) < end - start < timedelta(minutes=5)
    assert before - timedelta(minutes=6) < start < before - timedelta(minutes=4)
    expect(errors.locator(".chart .bars .point").first).to_be_attached()


def test_hovering_shows_the_numbers_of_a_moment(page: Page, errors: FrameLocator) -> None:
    box = errors.locator(".chart .nsewdrag").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.92 * box["width"], box["y"] + box["height"] / 2)
    expect(errors.locator(".hoverlayer")).to_contain_text("checkout : 31")


def test_a_click_on_the_chart_leads_to_the_records_of_then(
    page: Page, archived: pa.Table, errors: FrameLocator
) -> None:
    box = errors.locator(".chart .nsewdrag").first.bounding_box()
    assert box
    page.mouse.click(box["x"] + 0.92 * box["width"], box["y"] + box["height"] / 2)
    expect(errors.get_by_label("Query")).to_have_value("level>=ERROR")
    expect(errors.get_by_role("status")).to_contain_text("looked at")
    page.wait_for_url("**until**")
    start, end = span(page)
    assert end - start == timedelta(seconds=10)


def test_a_service_and_a_fingerprint_lead_to_their_records(
    page: Page, archived: pa.Table, errors: FrameLocator, database: Database
) -> None:
    counts = count_events(decode(archived, TOPIC, event_time_span=timedelta(days=1)), TOPIC, bucket=BUCKET)
    database.record_counts([OffsetRange(TopicPartition(TOPIC.name, "of-the-archive", 0), 0, 2)], counts)
    page.reload()
    errors.locator(".series a", has_text="checkout").click()
    expect(errors.get_by_label("Query")).to_have_value("level>=ERROR service=checkout")
    expect(errors.locator("li.record .message")).to_have_text([LOST])
    page.go_back()
    errors.locator("li.finding", has_text=LOST).first.get_by_role("link", name="Records").click()
    expect(errors.get_by_label("Query")).to_have_value(re.compile('^level>=ERROR fingerprint="v1:'))
    expect(errors.locator("li.record .message")).to_have_text([LOST, LOST])


def test_a_rule_is_chosen_and_drawn_against_its_threshold(page: Page, errors: FrameLocator) -> None:
    errors.get_by_label("Rule").select_option("CheckoutFailed")
    expect(errors.get_by_role("heading", name="CheckoutFailed")).to_contain_text("20 in 30s")
    expect(errors.locator(".scatterlayer path.js-line")).to_have_count(2)
    expect(errors.locator(".scatterlayer path.js-line").last).to_have_css("stroke", "rgb(201, 42, 42)")
    expect(errors.locator(".scatterlayer path.js-line").last).to_have_css("stroke-dasharray", re.compile("9px"))


def test_a_small_window_has_all_of_it(page: Page, errors: FrameLocator) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto("/faultline/errors?since=10m")
    expect(page.locator(".chart .bars .point").first).to_be_attached()
    page.locator("summary", has_text="As a table").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
