"""The distribution's Chromium, without a window, for tests of the page and its screenshots."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, FrameLocator, Page, sync_playwright

from dev.errors import DevError

NAMES = ("chromium", "chromium-browser", "google-chrome")
# It runs as root in a container and must not go looking for updates.
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--font-render-hinting=none"),
)


def find_chromium() -> str:
    """Its path; DevError when there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise DevError("no Chromium found: run dev/chromium.sh, which installs it or says what to install")
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser, closed afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*_FLAGS])
        try:
            yield browser
        finally:
            browser.close()


def log_in(page: Page, name: str, password: str) -> None:
    """Fill in Airflow's own form, to which whatever was opened without a login has led."""
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("button[type=submit]").click()


def open_faultline(page: Page) -> FrameLocator:
    """Go to the page by Airflow's navigation; what is within the frame."""
    page.get_by_role("link", name="Faultline").click()
    return faultline(page)


def faultline(page: Page) -> FrameLocator:
    """The page within Airflow's frame."""
    return page.frame_locator("iframe[title=Faultline]")
