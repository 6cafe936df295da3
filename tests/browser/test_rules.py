"""The rules in a browser: one is edited with an error, corrected, saved, and then in force; nobody is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from dev.airflow import LOGIN
from dev.browser import faultline, log_in
from dev.incident import SHOP, Incident
from faultline.adapters.database import Database
from tests.browser.conftest import VIEWER

RULES = (SHOP / "rules.yaml").read_text()
FAULTY = RULES.replace("num_events: 20", "num_event: 25", 1)
CHANGED = RULES.replace("num_events: 20", "num_events: 25", 1)
ADDRESS = "/api/v2/variables"


@pytest.fixture
def editor(page: Page, incident: Incident) -> Iterator[FrameLocator]:
    """The form of the rules within Airflow, as the administrator sees it; what they save is gone afterwards."""
    page.goto("/plugin/faultline/faultline/rules/edit")
    log_in(page, *LOGIN)
    yield faultline(page)
    page.evaluate(f"fetch('{ADDRESS}/faultline_rules', {{method: 'DELETE'}})")


def written(frame: FrameLocator) -> Locator:
    return frame.get_by_label("The rules", exact=True)


def press(frame: FrameLocator, name: str) -> None:
    frame.get_by_role("button", name=name).click()


def variable(page: Page) -> str:
    """What Airflow says the Variable is."""
    return str(page.evaluate(f"fetch('{ADDRESS}/faultline_rules').then(async (answer) => (await answer.json()).value)"))


def test_a_rule_is_edited_with_an_error_corrected_saved_and_in_force(
    page: Page, editor: FrameLocator, database: Database, tmp_path: Path
) -> None:
    written(editor).fill(FAULTY)
    press(editor, "Save")
    expect(editor.get_by_role("alert")).to_contain_text("2 faults; it cannot be saved")
    expect(editor.get_by_role("alert")).to_contain_text("unknown field 'num_event'; did you mean 'num_events'?")
    editor.get_by_role("link", name="line 22").click()
    expect(written(editor)).to_be_focused()
    selected = "field => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert written(editor).evaluate(selected) == "    num_event: 25"
    written(editor).fill(CHANGED)
    press(editor, "Check")
    expect(editor.get_by_text("No fault.")).to_be_visible()
    expect(editor.locator(".diff-ins")).to_have_text("+    num_events: 25")
    press(editor, "Save")
    expect(editor.get_by_text("Saved. The next evaluation takes it up.")).to_be_visible()
    expect(editor.locator("li.entry").first).to_contain_text("Variable faultline_rules by admin")
    assert variable(page) == CHANGED
    editor.get_by_role("link", name="Rules and chains").click()
    expect(editor.get_by_text("Variable faultline_rules is not in force yet")).to_be_visible()
    (tmp_path / "rules.yaml").write_text(variable(page))
    Incident(database, datetime.now(UTC), tmp_path / "rules.yaml")
    expect(editor.get_by_text("threshold: 25 in 30s")).to_be_visible()
    expect(editor.get_by_text("is not in force yet")).to_have_count(0)


def test_what_somebody_else_saved_meanwhile_is_shown_before_it_is_replaced(page: Page, editor: FrameLocator) -> None:
    other = RULES.replace("num_events: 3", "num_events: 4")
    expect(written(editor)).to_have_value(RULES)
    saved = "async ([address, value]) => (await fetch(address, {method: 'POST', headers: {'content-type':"
    saved += " 'application/json'}, body: JSON.stringify({key: 'faultline_rules', value})})).status"
    assert page.evaluate(saved, [ADDRESS, other]) == 201
    written(editor).fill(CHANGED)
    press(editor, "Save")
    expect(editor.get_by_role("alert")).to_contain_text("The rules have been changed since you began.")
    expect(editor.locator(".diff-del")).to_have_text(["-    num_events: 4", "-    num_events: 20"])
    assert variable(page) == other
    press(editor, "Save")
    expect(editor.get_by_text("Saved. The next evaluation")).to_be_visible()
    assert variable(page) == CHANGED


def test_who_may_only_read_sees_the_text_and_changes_nothing(page: Page, incident: Incident) -> None:
    page.goto("/plugin/faultline/faultline/rules/edit")
    log_in(page, *VIEWER)
    frame = faultline(page)
    expect(written(frame)).to_have_value(RULES)
    expect(written(frame)).not_to_be_editable()
    expect(frame.get_by_role("button")).to_have_count(0)


def test_a_chain_is_walked_by_keyboard(page: Page, editor: FrameLocator) -> None:
    expect(written(editor)).to_be_visible()
    page.goto("/faultline/rules")
    box = page.locator(".graph a").nth(1)
    box.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/faultline/rules?rule=PaymentErrors")
    expect(page.locator(".graph a")).to_have_count(3)
