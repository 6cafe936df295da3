"""Search and History in Airflow, in a browser: an alert's story, its records on HDFS, and HDFS that hangs meanwhile."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from dev.airflow import LOGIN
from dev.browser import faultline, log_in
from dev.incident import Incident
from faultline.testing.records import raw_table
from tests.archive.search.brute import append
from tests.servers import HdfsServer

SAID = "could not connect to db-1:5432"
SEARCH = "/plugin/faultline/faultline/search"


@pytest.fixture(scope="session")
def archived(archive_url: str) -> str:
    """An archive whose records of the last minutes are in."""
    now = datetime.now(UTC)
    values = [
        {"@timestamp": (now - timedelta(seconds=number)).isoformat(), "message": f"{SAID} {number}", "level": level}
        for number, level in enumerate(("info", "error", "critical"))
    ]
    # Other views' tests archive records of partition 0.
    raw = raw_table([json.dumps({**value, "environment": "prod"}).encode() for value in values], at=now, partition=1)
    append(archive_url, raw, "app-logs")
    return archive_url


@pytest.fixture
def archived_meanwhile(archive_url: str) -> None:
    """A record of the incident's last minute; what was archived for the session may be older than all of it."""
    now = datetime.now(UTC)
    record = {"@timestamp": now.isoformat(), "message": "pool is empty", "environment": "prod"}
    append(archive_url, raw_table([json.dumps(record).encode()], at=now, partition=2), "app-logs")


@pytest.fixture
def search(page: Page, archived: str, incident: Incident) -> FrameLocator:
    """The view Search within Airflow."""
    page.goto(SEARCH)
    log_in(page, *LOGIN)
    return faultline(page)


def test_records_are_found_narrowed_and_shown_in_full(page: Page, search: FrameLocator) -> None:
    search.get_by_label("Query").fill("level>=ERROR connect")
    search.get_by_role("button", name="Search").click()
    expect(search.locator("li.record")).to_have_count(2)
    expect(search.locator("li.record mark").first).to_have_text("connect")
    expect(search.get_by_role("status")).to_have_text(re.compile(r"2 records\s+· (\d+) of \1 hours counted"))
    assert "q=level" in page.url
    search.locator("svg a").last.click()
    expect(search.get_by_text("matches").first).to_be_visible()
    search.locator("li.record a").first.click()
    expect(search.locator("pre.message")).to_contain_text(SAID)
    expect(search.locator("pre.whole")).to_contain_text('"message": "could not connect')


def test_a_wrong_query_is_marked_where_it_is_wrong(search: FrameLocator) -> None:
    search.get_by_label("Query").fill("level>=LOUD")
    search.get_by_role("button", name="Search").click()
    expect(search.get_by_role("alert")).to_contain_text("not a level: 'LOUD'")
    expect(search.locator(".fault mark")).to_have_text("L")


def test_the_page_is_there_while_hdfs_hangs_and_fills_when_it_answers(
    page: Page, search: FrameLocator, hanging: HdfsServer
) -> None:
    search.get_by_label("Query").fill("connect")
    search.get_by_role("button", name="Search").click(no_wait_after=True)
    expect(search.get_by_text("Opening the archive").last).to_be_visible()
    expect(search.locator("li.record")).to_have_count(0)
    hanging.namenode.resume()
    expect(search.locator("li.record")).to_have_count(3)


@pytest.mark.usefixtures("archived_meanwhile")
def test_an_episode_leads_from_the_time_line_to_its_story_and_its_records(search: FrameLocator) -> None:
    search.get_by_role("link", name="History").click()
    expect(search.locator("li.episode")).to_have_count(3)
    expect(search.locator("li.is-effect .name")).to_have_text(["PaymentErrors", "CheckoutFailed"])
    search.locator("li.episode .name", has_text="CheckoutFailed").press("Enter")
    expect(search.locator(".conclusion")).to_contain_text("Nobody was told of it by itself: it is explained by DbDown")
    search.locator("a.cause", has_text="DbDown").first.click()
    expect(search.locator(".conclusion")).to_have_text("Told: ops/console/1, ops/webhook/1.")
    search.get_by_role("link", name="Its records in the archive").click()
    expect(search.get_by_role("status")).to_contain_text("hours counted")


@pytest.mark.parametrize("path", ["search?q=connect", "history", "history/suppressed", "history/messages"])
def test_a_small_window_has_all_of_it(page: Page, search: FrameLocator, path: str) -> None:
    expect(search.get_by_label("Query")).to_be_visible()
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(f"/faultline/{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
