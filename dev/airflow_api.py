"""The few calls of Airflow's REST API that scripts need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import httpx


class AirflowApi:
    """A logged-in client; httpx.HTTPStatusError when Airflow refuses something."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self._login = {"username": username, "password": password}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def login(self) -> None:
        """Get a token; every call does so when it has none yet."""
        token = _checked(self._client.post("/auth/token", json=self._login))["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def health(self) -> Mapping[str, str]:
        """Component → ``healthy`` or ``unhealthy``; empty while the API does not answer. Needs no login."""
        try:
            parts = _checked(self._client.get("/api/v2/monitor/health", timeout=5))
        except httpx.HTTPError:
            return {}
        return {name: part["status"] for name, part in parts.items() if part.get("status")}

    def dags(self) -> list[dict[str, Any]]:
        """Every DAG that has been parsed."""
        return list(self._call("GET", "/dags", params={"limit": 100})["dags"])

    def import_errors(self) -> list[dict[str, Any]]:
        """What Airflow could not parse."""
        return list(self._call("GET", "/importErrors")["import_errors"])

    def pause(self, dag_id: str, paused: bool) -> None:
        """Switch a DAG off or on."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def add_connection(self, conn_id: str, conn_type: str, **fields: Any) -> None:
        """Make a Connection, as the form does."""
        self._call("POST", "/connections", json={"connection_id": conn_id, "conn_type": conn_type, **fields})

    def test_connection(self, conn_id: str, conn_type: str, **fields: Any) -> tuple[bool, str]:
        """What the form's *Test* says."""
        body = {"connection_id": conn_id, "conn_type": conn_type, **fields}
        answer = self._call("POST", "/connections/test", json=body)
        return answer["status"], answer["message"]

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run now; its run id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run; ``state`` is queued, running, success or failed."""
        return self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")

    def runs(self, dag_id: str, limit: int = 20) -> list[dict[str, Any]]:
        """The latest runs, newest first."""
        return list(
            self._call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": limit, "order_by": "-run_after"})["dag_runs"]
        )

    def backfill(self, dag_id: str, since: datetime, until: datetime, **more: Any) -> int:
        """Start a backfill of the runs whose logical dates lie in ``[since, until]``; its id."""
        body = {"dag_id": dag_id, "from_date": since.isoformat(), "to_date": until.isoformat(), **more}
        return int(self._call("POST", "/backfills", json=body)["id"])

    def backfills(self, dag_id: str) -> list[dict[str, Any]]:
        """Every backfill, newest first; ``completed_at`` is set when all its runs have ended."""
        answer = self._call("GET", "/backfills", params={"dag_id": dag_id, "order_by": "-id", "limit": 100})
        return list(answer["backfills"])

    def runs_between(self, dag_id: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """The runs whose logical dates lie in ``[since, until]``, oldest first; at most 100."""
        span = {"logical_date_gte": since.isoformat(), "logical_date_lte": until.isoformat()}
        params = {**span, "order_by": "logical_date", "limit": 100}
        return list(self._call("GET", f"/dags/{dag_id}/dagRuns", params=params)["dag_runs"])

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task of a run has returned."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self._call("GET", path, params={"deserialize": True})["value"]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run, mapped ones each."""
        return list(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"])

    def page(self, view: str) -> str:
        """A view of the Faultline page."""
        answer = self._logged_in().get(f"/faultline/{view}")
        answer.raise_for_status()
        return answer.text

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return _checked(self._logged_in().request(method, f"/api/v2{path}", **options))

    def _logged_in(self) -> httpx.Client:
        if "Authorization" not in self._client.headers:
            self.login()
        return self._client


def _checked(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content
