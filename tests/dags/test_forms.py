"""Every DAG as a person meets it: it parses, has a manual, and a form that needs no other documentation."""

from __future__ import annotations

import importlib
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = sorted(path.stem for path in (ROOT / "dags").glob("*.py"))
PLUGINS = sorted(path.stem for path in (ROOT / "plugins").glob("*.py"))
SECTIONS = ["What", "How", "Connections", "For this run only"]
FOLDERS = {str(ROOT / "dags"), str(ROOT / "plugins")}


def dag_of(stem: str) -> Any:
    return getattr(importlib.import_module(stem), f"{stem}_dag")


def fields(stem: str) -> list[Any]:
    params = dag_of(stem).params
    return [pytest.param(params.get_param(name), id=f"{stem}.{name}") for name in params]


def test_airflow_imports_every_file_and_finds_one_dag_in_each(airflow_database: None) -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    assert sorted(bag.dags) == DAGS


@pytest.mark.parametrize("stem", DAGS)
def test_a_dag_has_a_manual_an_owner_and_tags(stem: str) -> None:
    dag = dag_of(stem)
    assert dag.doc_md.startswith("# ")
    assert "**When it fails:**" in dag.doc_md
    assert dag.owner == "faultline"
    assert "faultline" in dag.tags


@pytest.mark.parametrize("stem", DAGS)
def test_every_task_is_retried_with_growing_pauses_and_says_when_it_gives_up(stem: str) -> None:
    for task in dag_of(stem).tasks:
        assert task.retries > 0
        assert task.retry_exponential_backoff > 1
        assert task.max_retry_delay > task.retry_delay
        told = task.on_failure_callback  # a mapped task has it bare
        assert (told[0] if isinstance(told, list) else told).__name__ == "tell_failure"


@pytest.mark.parametrize("param", [param for stem in DAGS for param in fields(stem)])
def test_a_field_of_a_form_says_what_it_is(param: Any) -> None:
    assert {"title", "type", "section"} <= set(param.schema)
    assert param.description
    assert param.description.endswith(".")
    param.resolve()  # what the form shows at first is valid


LIMITS = {
    "boolean": set(),
    "integer": {"minimum", "maximum"},
    "array": {"items", "uniqueItems"},
    "object": set(),  # what it may have the settings say
}


@pytest.mark.parametrize("param", [param for stem in DAGS for param in fields(stem)])
def test_a_field_of_a_form_refuses_what_cannot_be_meant(param: Any) -> None:
    kinds = param.schema["type"]
    [kind] = {kinds} if isinstance(kinds, str) else set(kinds) - {"null"}
    if kind == "string":
        assert {"enum", "format", "minLength"} & set(param.schema)
    else:
        assert LIMITS[kind] <= set(param.schema)


@pytest.mark.parametrize("stem", ["archive_logs", "compact_archive", "digest_errors"])
def test_what_writes_can_show_first_what_it_would_do(stem: str) -> None:
    """The others write nothing (recount_errors, unless forced) or all the time (watch_errors)."""
    assert dag_of(stem).params.get_param("dry_run").value is False


def test_sections_of_a_form_come_in_one_order_and_connections_only_where_they_are_needed() -> None:
    for stem in DAGS:
        params = dag_of(stem).params
        sections = [params.get_param(name).schema["section"] for name in params]
        assert list(dict.fromkeys(sections)) == [each for each in SECTIONS if each in sections]
    assert "hdfs_conn_id" not in dag_of("watch_errors").params
    assert [name for name in dag_of("digest_errors").params if name.endswith("conn_id")] == ["database_conn_id"]


@pytest.mark.parametrize("stem", DAGS)
def test_every_field_of_a_form_is_documented(stem: str) -> None:
    [paragraph] = re.findall(rf"^\*\*{stem}\*\*.*?(?:\n\n|\Z)", read("docs/operations.md"), re.MULTILINE | re.DOTALL)
    assert [name for name in dag_of(stem).params if f"`{name}`" not in paragraph] == []


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("stem", [stem for stem in DAGS if "archive" in dag_of(stem).tags])
def test_the_archive_waits_in_a_pool_that_can_be_its_own(stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultline_dags.ARCHIVE_POOL", "archive")
    module = sys.modules.pop(stem, None)
    try:
        assert {task.pool for task in dag_of(stem).tasks} == {"archive"}
    finally:
        sys.modules[stem] = module or sys.modules[stem]


def test_what_alerts_goes_before_what_archives() -> None:
    weights = {stem: {task.priority_weight for task in dag_of(stem).tasks} for stem in DAGS}
    assert min(weights.pop("watch_errors")) > max(max(each) for each in weights.values())


@pytest.mark.parametrize("stem", [*DAGS, *PLUGINS])
def test_no_dag_and_no_plugin_hides_a_module(stem: str) -> None:
    """Airflow puts both folders on the path, and runs plugins under their bare names."""
    others = [path for path in sys.path if path not in FOLDERS]
    assert stem not in sys.stdlib_module_names
    assert PathFinder.find_spec(stem, others) is None
