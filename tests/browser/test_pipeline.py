"""Pipeline in Airflow, in a browser: from the navigation to an hour, without Kafka, and while HDFS hangs."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from dev.airflow import LOGIN
from dev.browser import faultline, log_in
from dev.incident import Incident
from tests.servers import HdfsServer

# A source that answers rests before it is asked again, and the page looks every ten seconds.
LONG = 120_000


@pytest.fixture
def pipeline(page: Page, incident: Incident) -> FrameLocator:
    """The view Pipeline within Airflow, come to by the navigation."""
    page.goto("/plugin/faultline/faultline/now")
    log_in(page, *LOGIN)
    frame = faultline(page)
    frame.get_by_role("link", name="Pipeline").click()
    return frame


def test_it_fills_as_the_sources_answer_and_says_which_does_not(pipeline: FrameLocator) -> None:
    expect(pipeline.locator(".sources .mark-good")).to_have_count(3, timeout=LONG)
    expect(pipeline.get_by_text("Kafka cannot be asked how far behind we are")).to_be_visible(timeout=LONG)
    expect(pipeline.locator("#storage")).to_contain_text("takes files")
    expect(pipeline.locator("#rules")).to_contain_text("valid")
    expect(pipeline.locator("#tables tbody tr")).to_contain_text("app-logs")


def test_an_hour_leads_to_its_records(pipeline: FrameLocator) -> None:
    hour = pipeline.locator("#hours td.hour a").last
    until = re.search(r"until=([^&]*)", hour.get_attribute("href", timeout=LONG) or "")
    assert until is not None
    hour.click()
    expect(pipeline.get_by_label("to", exact=True)).to_have_value(unquote(until[1]))
    expect(pipeline.get_by_role("status")).to_contain_text("records")


def test_while_hdfs_hangs_the_page_is_there_and_says_so(pipeline: FrameLocator, hanging: HdfsServer) -> None:
    told = pipeline.get_by_text(re.compile("HDFS does not|Is HDFS up"))
    expect(told.first).to_be_visible(timeout=LONG)
    expect(pipeline.locator("#rules")).to_contain_text("valid")
    hanging.namenode.resume()
    expect(told).to_have_count(0, timeout=LONG)


def test_a_small_window_has_all_of_it(page: Page, pipeline: FrameLocator) -> None:
    expect(pipeline.locator("#hours td.hour").first).to_be_visible(timeout=LONG)
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto("/faultline/pipeline")
    expect(page.locator("#hours td.hour").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
