"""Pipeline in Airflow, in a browser: from the navigation to an hour's records, without Kafka, and while HDFS hangs."""

from __future__ import annotations

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from dev.airflow import LOGIN
from dev.browser import faultline, log_in
from dev.incident import Incident
from tests.servers import HdfsServer

# A source that hangs is silent after ten seconds, and the page looks every ten.
LONG = 60_000


@pytest.fixture
def pipeline(page: Page, archived: str, incident: Incident) -> FrameLocator:
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
    pipeline.locator("#hours td.hour a").last.click(timeout=LONG)
    expect(pipeline.get_by_role("status")).to_contain_text("hours counted")
    expect(pipeline.locator("li.record").first).to_be_visible()


def test_while_hdfs_hangs_the_page_is_there_and_says_so(pipeline: FrameLocator, hanging: HdfsServer) -> None:
    expect(pipeline.get_by_text("tables do not answer. Is HDFS up?")).to_be_visible(timeout=LONG)
    expect(pipeline.locator("#rules")).to_contain_text("valid")
    hanging.namenode.resume()
    expect(pipeline.get_by_text("Is HDFS up?")).to_have_count(0, timeout=LONG)


def test_a_small_window_has_all_of_it(page: Page, pipeline: FrameLocator) -> None:
    expect(pipeline.locator("#hours td.hour").first).to_be_visible(timeout=LONG)
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto("/faultline/pipeline")
    expect(page.locator("#hours td.hour").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
