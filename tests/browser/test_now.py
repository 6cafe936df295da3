"""The page in Airflow, in a browser: finding it, reading an outage in it, taking it on, silencing it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from dev.airflow import LOGIN
from dev.browser import faultline, log_in, open_faultline
from dev.incident import Incident
from faultline.adapters.database import Database
from faultline.dispatch.links import alert_url
from tests.browser.conftest import VIEWER
from tests.servers import AirflowUi


def outage(frame: FrameLocator) -> Locator:
    """The tree of the database's outage."""
    return frame.locator("article", has=frame.get_by_role("heading", name="DbDown", exact=True))


def effects(frame: FrameLocator) -> Locator:
    return outage(frame).locator("details.effects")


def test_the_outage_is_found_through_the_navigation(page: Page, incident: Incident) -> None:
    page.goto("/")
    log_in(page, *LOGIN)
    frame = open_faultline(page)
    expect(outage(frame)).to_contain_text("could not connect to db-1:5432")
    expect(outage(frame)).to_contain_text("ops/webhook/1: told")
    expect(frame.get_by_text("PaymentErrors", exact=True)).not_to_be_visible()
    frame.get_by_text("explains 2 alerts").click()
    expect(effects(frame).locator("h4")).to_have_text(["PaymentErrors", "CheckoutFailed"])
    expect(effects(frame)).to_contain_text('DbDown, PaymentErrors{environment="prod"}')
    assert page.url.endswith("/plugin/faultline/faultline/now")


def test_the_outage_is_silenced(now: FrameLocator) -> None:
    outage(now).get_by_role("link", name="Silence …").click()
    expect(now.get_by_text("matches one alert now")).to_be_visible()
    now.get_by_label("Matchers").fill('environment="prod"')
    expect(now.get_by_text("matches 3 alerts now")).to_be_visible()
    now.get_by_label("What for").fill("the database moves")
    now.get_by_role("button", name="Silence these").click()
    expect(now.get_by_role("heading", name="Silence 1")).to_be_visible()
    expect(now.get_by_text("matches 3 alerts now")).to_be_visible()
    now.get_by_role("link", name="Now").first.click()
    expect(outage(now)).to_contain_text("silenced")
    expect(outage(now)).to_contain_text("by admin")
    expect(outage(now)).to_contain_text("“the database moves”")


def test_an_alert_is_taken_on_without_losing_ones_place(now: FrameLocator, database: Database) -> None:
    now.get_by_text("explains 2 alerts").click()
    outage(now).locator("summary", has_text="Acknowledge").click()
    now.get_by_label("What others should know").fill("I am looking")
    outage(now).get_by_role("button", name="Acknowledge").click()
    expect(outage(now)).to_contain_text("taken on; the next evaluation hears of it by admin")
    expect(effects(now)).to_have_attribute("open", "")
    assert [(ack.by, ack.comment) for ack in database.interventions(datetime.now(UTC))[1]] == [
        ("admin", "I am looking")
    ]


def test_the_list_renews_itself_and_keeps_what_is_open(now: FrameLocator, incident: Incident) -> None:
    now.get_by_text("explains 2 alerts").click()
    records = effects(now).locator("summary").first.inner_text()
    effects(now).locator("summary").first.focus()
    incident.go_on(datetime.now(UTC) + timedelta(seconds=20))
    expect(effects(now).locator("summary").first).not_to_have_text(records)
    expect(effects(now)).to_have_attribute("open", "")
    expect(effects(now).locator("summary").first).to_be_focused()


def test_a_messages_link_leads_to_the_alert_after_the_login(
    page: Page, airflow: AirflowUi, incident: Incident, database: Database
) -> None:
    effect = next(alert for alert in database.alerts() if alert.key.rule == "CheckoutFailed" and alert.live)
    page.goto(alert_url(f"{airflow.url}/plugin/faultline/faultline", effect.episode))
    log_in(page, *LOGIN)
    frame = faultline(page)
    expect(frame.locator("li.is-meant")).to_contain_text("CheckoutFailed")
    expect(frame.locator("article")).to_have_count(1)


def test_without_airflow_around_it_the_page_sends_one_to_the_login_and_back(page: Page, incident: Incident) -> None:
    page.goto("/faultline/now?state=suppressed&lang=zh")
    page.get_by_role("link", name="登录 Airflow").click()
    log_in(page, *LOGIN)
    expect(page.get_by_text("解释了 2 个告警")).to_be_visible()
    assert page.url.endswith("/faultline/now?state=suppressed&lang=zh")


def test_who_may_only_read_is_offered_and_allowed_no_change(page: Page, incident: Incident) -> None:
    page.goto("/plugin/faultline/faultline/now")
    log_in(page, *VIEWER)
    frame = faultline(page)
    expect(outage(frame)).to_be_visible()
    expect(frame.locator("form[method=post]")).to_have_count(0)
    script = "() => fetch('/faultline/ack', {method: 'POST', body: new URLSearchParams({episode: 'x'})})"
    assert page.evaluate(f"({script})().then(answer => answer.status)") == 403


def test_a_filter_is_in_airflows_address(page: Page, now: FrameLocator) -> None:
    now.locator("label", has_text="held").click()
    page.wait_for_url("**/plugin/faultline/faultline/now?state=held")
    expect(now.get_by_text("No alert that goes on is like this.")).to_be_visible()
    page.reload()
    expect(faultline(page).get_by_text("No alert that goes on is like this.")).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_has_airflows_theme(page: Page, now: FrameLocator, theme: str) -> None:
    expect(outage(now)).to_be_visible()
    page.evaluate(f"document.documentElement.className = '{theme}'")
    expect(now.locator("html")).to_have_attribute("data-theme", theme)
    colours = {"dark": "rgb(19, 21, 25)", "light": "rgb(255, 255, 255)"}
    expect(now.locator("body")).to_have_css("background-color", colours[theme])


def test_the_keyboard_is_enough(page: Page, now: FrameLocator) -> None:
    expect(outage(now)).to_be_visible()
    page.goto("/faultline/now")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    summary = page.locator("details.effects > summary")
    for _ in range(40):
        page.keyboard.press("Tab")
        if summary.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="CheckoutFailed")).to_be_visible()


@pytest.mark.parametrize(
    "path", ["now", "silences", "silence?matchers=environment%3D%22prod%22", "rules", "rules/changes", "rules/edit"]
)
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(page: Page, now: FrameLocator, path: str, width: int) -> None:
    expect(outage(now)).to_be_visible()
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/faultline/{path}")
    expect(page.locator("main")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
