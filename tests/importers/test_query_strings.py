from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.importers.elastalert_filters import filter_matchers
from faultline.importers.query_strings import query_matchers

CARRIED = {
    "one": ("tenant:acme", ['tenant="acme"']),
    "space after the colon": ("tenant: acme", ['tenant="acme"']),
    "both": ("tenant:acme AND region:eu", ['tenant="acme"', 'region="eu"']),
    "signs": ("tenant:acme && !region:eu", ['tenant="acme"', 'region!="eu"']),
    "not": ("NOT tenant:acme", ['tenant!="acme"']),
    "quoted": ('job:"night \\"run\\""', ['job="night \\"run\\""']),
    "one of": ("region:(eu OR us)", ['region=~"eu|us"']),
    "or on one field": ("region:eu OR region:us", ['region=~"eu|us"']),
    "none of": ("tenant:a AND NOT region:(eu OR us)", ['tenant="a"', 'region!~"eu|us"']),
    "parentheses": ("(tenant:a AND (region:eu OR region:us))", ['tenant="a"', 'region=~"eu|us"']),
    "wildcards": ("job:sync-?.*", ['job=~"sync-.\\\\..*"']),
    "anything": ("tenant:*", ['tenant!=""']),
    "exists": ("_exists_:tenant", ['tenant!=""']),
    "escaped": (r"path:\/a\:b", ['path="/a:b"']),
    "a level is a level": ("level:warn", ['level="WARNING"']),
    "levels": ("levelname:(error OR fatal)", ['level=~"ERROR|CRITICAL"']),
    "a level with a wildcard": ("level:err*", ['level=~"ERR.*"']),
    "known names": (
        'appName:cart AND host.name.keyword:h1 AND @fields.exc_type:"KeyError"',
        ['service="cart"', 'host="h1"', 'exception_type="KeyError"'],
    ),
}


@pytest.mark.parametrize(("query", "matchers"), CARRIED.values(), ids=CARRIED)
def test_conditions_that_all_must_hold_are_matchers(query: str, matchers: list[str]) -> None:
    assert list(map(str, query_matchers(query))) == matchers


REFUSED = {
    "a word": ("timeout", "'timeout' is looked for in texts"),
    "a phrase": ('"timed out"', "is looked for in texts"),
    "a message": ("message:timeout", "'message' is no label"),
    "nothing between": ("tenant:a region:b", "no AND or OR before 'region'"),
    "or on two fields": ("tenant:a OR region:b", "OR between different fields"),
    "or of two at once": ("(a:1 AND a:2) OR a:3", "OR between different fields"),
    "or with not": ("tenant:a OR NOT tenant:b", "OR with NOT"),
    "not of both": ("NOT (tenant:a AND region:b)", "NOT of several conditions"),
    "mixed": ("a:1 AND b:2 OR b:3", "AND beside OR without parentheses"),
    "a range": ("status:[500 TO 599]", "is a range"),
    "more than": ("status:>499", "is a range"),
    "an expression": ("path:/a.b/", "is a range, an expression"),
    "a likeness": ("name:jon~1", "is a range, an expression or a likeness"),
    "a weight": ("tenant:acme^2", "is a range, an expression or a likeness"),
    "plus": ("+tenant:a", "'+tenant': + and - are not understood"),
    "not closed": ("(tenant:a", "a parenthesis that is not closed"),
    "closed too often": ("tenant:a)", "not understood from ')' on"),
    "no value": ("tenant:", "not understood from"),
    "nothing": ("", "'the end' is looked for"),
    "deep": ("(" * 50 + "tenant:a" + ")" * 50, "too many parentheses"),
    "not not": ("NOT " * 5000 + "tenant:a", "too many parentheses and NOTs"),
}


@pytest.mark.parametrize(("query", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_more_than_that_is_refused_with_the_reason(query: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        query_matchers(query)


@given(
    st.lists(
        st.sampled_from(["a:1", "b:x*", "AND", "OR", "NOT", "(", ")", '"', "\\", ":", "level:", "*", " ", "_exists_:"])
    )
)
def test_any_query_is_matchers_or_a_reason(words: list[str]) -> None:
    try:
        found = query_matchers(" ".join(words))
    except ValueError:
        return
    assert found


FILTERS = {
    "term": ([{"term": {"service": "cart"}}], ['service="cart"']),
    "term with its value": ([{"term": {"service.keyword": {"value": "cart", "boost": 2}}}], ['service="cart"']),
    "a number": ([{"term": {"status": 500}}], ['status="500"']),
    "truth": ([{"term": {"retry": True}}], ['retry="true"']),
    "terms": ([{"terms": {"service": ["cart", "a.b"]}}], ['service=~"cart|a\\\\.b"']),
    "one of terms": ([{"terms": {"service": ["cart"]}}], ['service="cart"']),
    "an old query": ([{"query": {"query_string": {"query": "tenant:a"}}}], ['tenant="a"']),
    "several": ([{"term": {"a": 1}}, {"term": {"b": 2}}, {"term": {"a": 1}}], ['a="1"', 'b="2"']),
    "exists": ([{"exists": {"field": "tenant"}}], ['tenant!=""']),
    "prefix": ([{"prefix": {"path": "/a."}}], ['path=~"/a\\\\..*"']),
    "wildcard": ([{"wildcard": {"path": {"value": "/a*c?"}}}], ['path=~"/a.*c."']),
    "bool": (
        [{"bool": {"must": [{"term": {"a": 1}}], "filter": {"term": {"b": 2}}, "must_not": [{"term": {"c": 3}}]}}],
        ['a="1"', 'b="2"', 'c!="3"'],
    ),
    "none": ([], []),
}


@pytest.mark.parametrize(("filters", "matchers"), FILTERS.values(), ids=FILTERS)
def test_a_filter_is_matchers(filters: list[object], matchers: list[str]) -> None:
    assert filter_matchers(filters) == matchers


REFUSED_FILTERS = {
    "a range": ([{"range": {"status": {"gt": 499}}}], "a filter 'range'"),
    "should": ([{"bool": {"should": [{"term": {"a": 1}}]}}], "bool with should"),
    "a field of its own": (
        [{"query_string": {"query": "a:1", "default_field": "x"}}],
        "query_string with default_field",
    ),
    "two fields": ([{"term": {"a": 1, "b": 2}}], "a filter of several fields"),
    "two kinds": ([{"term": {"a": 1}, "terms": {"b": [2]}}], "of another shape"),
    "a text": (["a:1"], "a text of another shape"),
    "terms of nothing": ([{"terms": {"a": []}}], "terms without a list"),
    "a list in a term": ([{"term": {"a": [1]}}], "a list where a text is expected"),
    "a message": ([{"term": {"message": "x"}}], "'message' is no label"),
    "its own name": ([{"term": {"_index": "x"}}], "'_index' is no label"),
    "no field": ([{"exists": {}}], "exists without a field"),
}


@pytest.mark.parametrize(("filters", "why"), REFUSED_FILTERS.values(), ids=REFUSED_FILTERS)
def test_a_filter_that_is_none_says_why(filters: list[object], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        filter_matchers(filters)
