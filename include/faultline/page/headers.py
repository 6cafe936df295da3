"""The headers of every answer: a browser runs our script and nothing else, whatever a log got onto a page."""

from __future__ import annotations

from collections.abc import MutableMapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'self'",
}
# The chart library sets style attributes; they cannot run anything.
_WITH_CHARTS = {**_POLICY, "style-src-attr": "'unsafe-inline'"}

POLICY_HEADER = "content-security-policy"


def policy(charts: bool = False) -> str:
    """The Content-Security-Policy of a page, with charts on it or without."""
    return "; ".join(f"{name} {value}" for name, value in (_WITH_CHARTS if charts else _POLICY).items())


_ALWAYS = {
    POLICY_HEADER: policy(),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "vary": "cookie, accept-language",
}


class SafeHeaders:
    """Middleware that gives every answer the headers it has not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(message)
            await send(message)

        await self._app(scope, receive, send_safely)


def _complete(message: MutableMapping[str, object]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
