"""One request as a view gets it: who asks, in which language, when, and what there is to answer with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from faultline.adapters.database import Database
from faultline.page.access import Access, Viewer
from faultline.page.headers import POLICY_HEADER, policy
from faultline.page.searching import Searches
from faultline.page.sources import Sources
from faultline.page.static import asset, style_ids
from faultline.page.templates import render_page
from faultline.page.texts import LANGUAGES, Texts, choose_language, texts_of
from faultline.settings import Settings


@dataclass
class Page:
    """What every request shares: the host's knowledge of users, the settings as they are now, a clock, the database.

    ``views`` are the names in the navigation, each the path of a view and the key of its title.
    """

    access: Access
    settings: Callable[[], Settings]
    clock: Callable[[], datetime]
    views: Sequence[str]
    searches: Searches = field(default_factory=Searches)
    _databases: dict[str, Database] = field(default_factory=dict)
    _sources: Sources | None = None

    def sources(self, settings: Settings) -> Sources:
        """What these settings name; it knows what it was told the last time it was asked."""
        if self._sources is None or self._sources.settings != settings:
            self._sources = Sources(settings, self.database(settings.database_url), self.clock)
        return self._sources

    def database(self, url: str) -> Database:
        """The database; its connections are kept for the next request."""
        if url not in self._databases:
            self._databases[url] = Database(url)
        return self._databases[url]

    def close(self) -> None:
        """Close every connection."""
        self.searches.close()
        for database in self._databases.values():
            database.close()


@dataclass(frozen=True)
class Asked:
    """A request; ``viewer`` is None only where nobody has been let in. The settings are read once for each."""

    request: Request
    page: Page
    texts: Texts
    at: datetime
    viewer: Viewer | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self.page.settings()

    @property
    def database(self) -> Database:
        """Where to read."""
        return self.page.database(self.settings.database_url)

    @property
    def by(self) -> str:
        """The name of who asks."""
        return self.viewer.name if self.viewer else ""

    def url(self, path: str, query: Mapping[str, object] | None = None, **more: object) -> str:
        """The address of one of our paths with these parameters; a language that was asked for stays.

        Parameters that are empty are left out; ``more`` replaces those of ``query``.
        """
        asked = {"lang": self.request.query_params.get("lang"), **(query or {}), **more}
        pairs = [(name, value) for name, value in asked.items() if value not in (None, "", [], ())]
        words = urlencode(pairs, doseq=True)
        return f"{self.request.scope.get('root_path', '')}{path}{'?' if words else ''}{words}"

    def static(self, name: str) -> str:
        """The address of a file that the page loads."""
        found = asset(name)
        return f"{self.request.scope.get('root_path', '')}/static/{name}?v={found.version if found else ''}"

    def other_languages(self) -> list[tuple[str, str]]:
        """This page in each other language: the language and the address."""
        query = dict(self.request.query_params)
        path = self.request.url.path.removeprefix(self.request.scope.get("root_path", ""))
        return [(each, self.url(path, query, lang=each)) for each in LANGUAGES if each != self.texts.language]

    def render(self, template: str, *, charts: bool = False, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of ours; ``charts`` when it has some."""
        text = self.text(template, charts=charts, **values)
        return HTMLResponse(text, status, {POLICY_HEADER: policy(charts), "content-language": self.texts.language})

    def text(self, template: str, **values: Any) -> str:
        """A page of ours, or a part of one, as text."""
        common = {"asked": self, "t": self.texts, "url": self.url, "charts": False, "style_ids": style_ids}
        return render_page(template, {**common, **values})

    def go(self, path: str, query: Mapping[str, object] | None = None, **more: object) -> RedirectResponse:
        """Have the browser load one of our paths with GET."""
        return RedirectResponse(self.url(path, query, **more), 303)


def ask(request: Request, page: Page, viewer: Viewer | None = None, at: datetime | None = None) -> Asked:
    """The request with its language chosen."""
    language = choose_language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
    return Asked(request, page, texts_of(language), at or page.clock(), viewer)


def _asked(request: Request) -> Asked:
    asked: Asked = request.state.asked
    return asked


# What a view's function takes: the app has let the request in before.
AskedNow = Annotated[Asked, Depends(_asked)]
