"""Faultline's page in Airflow's navigation: who asks is Airflow's to say, what is shown is ``faultline.page``'s.

Reading it takes what reading the DAG watch_errors takes, changing something from it what editing that DAG takes, and
saving the rules also what editing their Variable takes. Every heavy import sits inside a function: Airflow imports this
file in each of its components, and one of them serves pages.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from fastapi import FastAPI, Request
    from starlette.types import Receive, Scope, Send

PREFIX = "/faultline"
DAG = "watch_errors"

_base_url: str = conf.get("api", "base_url", fallback="") or ""
_root = urlsplit(_base_url).path.rstrip("/")


@cache
def page() -> FastAPI:
    """The app, for Airflow's users, as one of them first asks for it."""
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
    from faultline_configuration import save_rules, settings_to_look_at

    from faultline.page.access import Access, RulesKeeper
    from faultline.page.app import build_app

    access = Access(
        user=get_user,
        read=requires_access_dag("GET", param_dag_id=DAG),
        edit=requires_access_dag("PUT", param_dag_id=DAG),
        secret=conf.get("api", "secret_key"),
        origin=_base_url,
        login=f"{_root}/api/v2/auth/login",
        rules=RulesKeeper(_may_set_rules, save_rules),
    )
    return build_app(access, settings_to_look_at)


def _may_set_rules(_: Request, user: BaseUser) -> None:
    """What Airflow asks of who edits the Variable in its own form."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import VariableDetails
    from fastapi import HTTPException
    from faultline_configuration import RULES

    if not get_auth_manager().is_authorized_variable(method="PUT", details=VariableDetails(key=RULES), user=user):
        raise HTTPException(403, "Forbidden")


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """The page, as what Airflow mounts."""
    await page()(scope, receive, send)


class FaultlinePage(AirflowPlugin):
    """Where the page is served, and its place in the navigation."""

    name = "faultline_ui"
    fastapi_apps = [{"app": serve, "url_prefix": PREFIX, "name": "Faultline"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Faultline",
            "href": f"{_root}{PREFIX}/now",
            "url_route": "faultline",
            "destination": "nav",
            "nav_top_level": True,
            "icon": f"{_root}{PREFIX}/static/icon.svg",
        }
    ]
