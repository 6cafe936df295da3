"""Who may open the page, who may change something from it, and that it was this page that asked for the change.

A browser sends Airflow's cookie along with whatever request any site makes it send. So a request that is not GET must
come from a page of this origin (``Sec-Fetch-Site``, or ``Origin`` where a browser sends only that) and carry a token
that only the page itself shows to its reader.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from faultline.yaml_files import Document

SAFE_METHODS = frozenset({"GET", "HEAD"})
TOKEN_FIELD = "token"
_TOKEN_LIFE = timedelta(hours=12)


class User(Protocol):
    """Whoever has logged in."""

    def get_name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class RulesKeeper:
    """Where the host of the page keeps the rules.

    ``may`` raises HTTPException 403 for who may not change them. ``save`` takes a text and the hash of the version that
    it is to replace, and says what is configured from then on; it raises Superseded when that version is not there.
    """

    may: Callable[[Request, Any], object]
    save: Callable[[str, str], Document]


@dataclass(frozen=True, slots=True)
class Access:
    """What the host of the page knows of its users.

    ``user`` is a FastAPI dependency that gives the User or raises HTTPException 401; ``read`` and ``edit`` raise
    HTTPException 403. ``secret`` is shared by all servers of one installation. ``origin`` is the public address, where
    a proxy makes that another than requests arrive at; ``login`` is where to log in, and takes a ``next``. Without
    ``rules`` they can be tried on the page, and not saved.
    """

    user: Callable[..., Any]
    read: Callable[[Request, Any], object]
    edit: Callable[[Request, Any], object]
    secret: str
    origin: str = ""
    login: str = ""
    rules: RulesKeeper | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who may read the page."""

    name: str
    may_edit: bool
    token: str
    may_save_rules: bool = False


def admit(access: Access, request: Request, user: User, at: datetime) -> Viewer:
    """The viewer; HTTPException 403 when the user may not read the page."""
    access.read(request, user)
    name = user.get_name()
    may_edit = _may(access.edit, request, user)
    may_save = may_edit and access.rules is not None and _may(access.rules.may, request, user)
    return Viewer(name, may_edit, issue_token(access.secret, name, at), may_save)


async def check_change(access: Access, request: Request, viewer: Viewer, at: datetime) -> None:
    """HTTPException 403 unless the viewer may change something and the request was made by the page."""
    if not viewer.may_edit:
        raise HTTPException(403, "you may read this page, but not change anything from it")
    if not same_origin(request, access.origin):
        raise HTTPException(403, "the request came from another site")
    token = (await request.form()).get(TOKEN_FIELD)
    if not isinstance(token, str) or not accepts_token(access.secret, token, viewer.name, at):
        raise HTTPException(403, "the page was too old to change anything: load it again")


def same_origin(request: Request, origin: str = "") -> bool:
    """Whether a page of this origin made the request; no browser is silent about it."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    asked = urlsplit(request.headers.get("origin", "")).netloc
    return bool(asked) and asked in (request.headers.get("host"), urlsplit(origin).netloc)


def issue_token(secret: str, user: str, at: datetime) -> str:
    """A token for the user's forms; it is good for half a day to a whole one."""
    return _sign(secret, user, _period(at))


def accepts_token(secret: str, token: str, user: str, at: datetime) -> bool:
    """Whether the token was issued to the user, and not too long ago."""
    period = _period(at)
    return any(hmac.compare_digest(token.encode(), _sign(secret, user, each).encode()) for each in (period, period - 1))


def _period(at: datetime) -> int:
    return int(at.timestamp() // _TOKEN_LIFE.total_seconds())


def _sign(secret: str, user: str, period: int) -> str:
    return hmac.new(secret.encode(), f"faultline page {period} {user}".encode(), hashlib.sha256).hexdigest()


def _may(check: Callable[[Request, Any], object], request: Request, user: User) -> bool:
    try:
        check(request, user)
    except HTTPException:
        return False
    return True
