"""ElastAlert's filters → matchers, as far as they are conditions on labels that all must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from faultline.alerting.matchers import Matcher
from faultline.importers.elastalert_fields import label_of, value_of
from faultline.importers.query_strings import escaped, like, one_of, opposite, query_matchers
from faultline.importers.sections import kind_of, text, texts


def filter_matchers(filters: object) -> list[str]:
    """The matchers of a list of filters, as text; ValueError says what cannot be one."""
    return list(dict.fromkeys(str(matcher) for matcher in _all_of(filters)))


def _all_of(filters: object) -> list[Matcher]:
    items = filters if isinstance(filters, list) else [filters]
    return [matcher for item in items for matcher in _matchers_of(item)]


def _matchers_of(filter: object) -> list[Matcher]:
    if not isinstance(filter, Mapping) or len(filter) != 1:
        raise ValueError(f"{kind_of(filter)} of another shape than one kind of filter with its fields")
    [(kind, body)] = filter.items()
    if kind not in _KINDS:
        raise ValueError(
            f"a filter {str(kind)!r}; rules know term, terms, exists, prefix, wildcard, query_string, bool"
        )
    return _KINDS[kind](body)


def _term(body: object) -> list[Matcher]:
    label, value = _field(body)
    return [Matcher(label, "=", value_of(label, text(_inner(value, "value"))))]


def _terms(body: object) -> list[Matcher]:
    label, values = _field(body)
    if not isinstance(values, list) or not values:
        raise ValueError("terms without a list of values")
    return [one_of([[Matcher(label, "=", value_of(label, value))] for value in texts(values)])]


def _exists(body: object) -> list[Matcher]:
    if not isinstance(body, Mapping) or "field" not in body:
        raise ValueError("exists without a field")
    return [Matcher(label_of(text(body["field"])), "!=", "")]


def _prefix(body: object) -> list[Matcher]:
    label, value = _field(body)
    return [like(label, f"{escaped(text(_inner(value, 'value')))}.*")]


def _wildcard(body: object) -> list[Matcher]:
    label, value = _field(body)
    return [like(label, escaped(text(_inner(value, "value"))).replace(r"\*", ".*").replace(r"\?", "."))]


def _query_string(body: object) -> list[Matcher]:
    if not isinstance(body, Mapping) or "query" not in body:
        raise ValueError("query_string without a query")
    if further := sorted(str(name) for name in body if name not in ("query", "analyze_wildcard")):
        raise ValueError(f"query_string with {', '.join(further)}")
    return query_matchers(text(body["query"]))


def _bool(body: object) -> list[Matcher]:
    if not isinstance(body, Mapping):
        raise ValueError("bool without conditions")
    if further := sorted(str(name) for name in body if name not in ("must", "filter", "must_not")):
        raise ValueError(f"bool with {', '.join(further)}; rules know must, filter and must_not")
    must = [matcher for name in ("must", "filter") if name in body for matcher in _all_of(body[name])]
    denied = body.get("must_not", [])
    return must + [opposite(_matchers_of(each)) for each in (denied if isinstance(denied, list) else [denied])]


_KINDS: Mapping[object, Callable[[Any], list[Matcher]]] = {
    "term": _term,
    "terms": _terms,
    "exists": _exists,
    "prefix": _prefix,
    "wildcard": _wildcard,
    "query_string": _query_string,
    "bool": _bool,
    "query": _matchers_of,
}


def _field(body: object) -> tuple[str, Any]:
    """The one field a filter is about, as a label, and what is said of it."""
    named = {name: value for name, value in body.items() if name != "boost"} if isinstance(body, Mapping) else {}
    if len(named) != 1:
        raise ValueError("a filter of several fields, or of none")
    [(name, value)] = named.items()
    return label_of(text(name)), value


def _inner(value: object, name: str) -> object:
    return value[name] if isinstance(value, Mapping) and set(value) <= {name, "boost"} and name in value else value
