"""The page as a FastAPI app. Nothing in it answers without the dependency that lets a request in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException

from faultline.errors import FaultlineError, TransientError
from faultline.model import utc_now
from faultline.page.access import SAFE_METHODS, Access, admit, check_change
from faultline.page.asked import Asked, AskedNow, Page, ask
from faultline.page.headers import SafeHeaders
from faultline.page.static import asset
from faultline.page.views import VIEWS
from faultline.settings import Settings

_FOR_GOOD = "private, max-age=31536000, immutable"


def build_app(access: Access, settings: Callable[[], Settings], clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The page for these users and settings, to be mounted below any path."""
    page = Page(access, settings, clock, tuple(view.NAME for view in VIEWS))

    somebody = Depends(access.user)

    async def let_in(request: Request, user: Any = somebody) -> None:
        at = page.clock()
        viewer = await run_in_threadpool(admit, access, request, user, at)
        if request.method not in SAFE_METHODS:
            await check_change(access, request, viewer, at)
        request.state.asked = ask(request, page, viewer, at)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        page.close()

    app = FastAPI(
        title="Faultline",
        dependencies=[Depends(let_in)],
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_middleware(SafeHeaders)
    app.get("/")(_first)
    app.get("/static/{name}")(_static)
    for view in VIEWS:
        app.include_router(view.router)
    _say_errors(app, page)
    return app


def _first(asked: AskedNow) -> Response:
    """The first view, with whatever was asked of it."""
    return asked.go(f"/{asked.page.views[0]}", dict(asked.request.query_params))


def _static(name: str, request: Request) -> Response:
    """A file of the page; the browser need not ask for it again."""
    found = asset(name)
    if found is None:
        raise HTTPException(404)
    headers = {"cache-control": _FOR_GOOD, "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.zipped, media_type=found.media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(found.body, media_type=found.media_type, headers=headers)


def _say_errors(app: FastAPI, page: Page) -> None:
    """Every error is a page that says what it is."""

    def refuse(request: Request, error: StarletteHTTPException) -> Response:
        login = _login(request, page) if error.status_code == 401 else ""
        return _problem(request, page, error.status_code, str(error.detail), login)

    def fail(request: Request, error: FaultlineError) -> Response:
        refused = 500 if request.method in SAFE_METHODS else 409
        return _problem(request, page, 503 if isinstance(error, TransientError) else refused, str(error))

    def misread(request: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        return _problem(request, page, 422, wrong)

    app.exception_handler(StarletteHTTPException)(refuse)
    app.exception_handler(FaultlineError)(fail)
    app.exception_handler(RequestValidationError)(misread)


def _problem(request: Request, page: Page, status: int, detail: str, login: str = "") -> Response:
    """What is wrong; for who has not been let in without the page's files, which are not theirs to load."""
    asked: Asked = getattr(request.state, "asked", None) or ask(request, page)
    return asked.render("problem.html.j2", status=status, code=status, detail=detail, login=login)


def _login(request: Request, page: Page) -> str:
    """Where to log in, and come back from to the address that was asked for."""
    back = f"{request.url.path}{'?' if request.url.query else ''}{request.url.query}"
    return f"{page.access.login}?{urlencode({'next': back})}" if page.access.login else ""
