"""Drives elastalert2's own rule classes; runs in their environment and knows nothing of Faultline.

Each line of input is ``{"class", "options", "steps"}``: which class, the rule's options (times in seconds), and what to
do with the rule, in order: ``["events", at, [{field: value}]]``, ``["count", at, number]``,
``["terms", at, [[key, number]]]``, ``["collect", at, null]`` for what the engine does at the end of each run, and
``["share", at, [[key, hits, others]]]`` for what a query over one timeframe finds. Each line of output has the
matches, with the time of the step that made them.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import types
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    # It signs requests to Elasticsearch in a cloud with that cloud's SDK; no request is made here.
    sys.modules["elastalert.auth"] = types.ModuleType("elastalert.auth")
    sys.modules["elastalert.auth"].Auth = None
    from elastalert import ruletypes

    class NewTermsRule(ruletypes.NewTermsRule):
        def get_all_terms(self, args):
            """Nothing is known: there is no server to ask for the terms of the last days."""
            self.seen_values = {tuple(field) if isinstance(field, list) else field: [] for field in self.fields}

    classes = {**vars(ruletypes), "NewTermsRule": NewTermsRule}

    for line in sys.stdin:
        asked = json.loads(line)
        options = {"timestamp_field": "@timestamp", **asked["options"]}
        if "timeframe" in options:
            options["timeframe"] = timedelta(seconds=options["timeframe"])
        rule = classes[asked["class"]](options)
        steps = [(at, *prepared(rule, kind, EPOCH + timedelta(seconds=at), what)) for kind, at, what in asked["steps"]]
        matches = []
        # What it is fed was there before: the collector need not look at it while the time is taken.
        gc.collect()
        gc.freeze()
        begun = time.process_time()
        for at, act, arguments in steps:
            act(*arguments)
            # Not the time in the match: a spike's is that of the oldest record in its timeframe.
            matches += [[at, key_of(match, options)] for match in rule.matches]
            rule.matches.clear()
        processor = time.process_time() - begun
        gc.unfreeze()
        print(json.dumps({"matches": matches, "processor": processor}), flush=True)


def prepared(rule, kind, at, what):
    """The call that a step stands for, and its arguments as the engine would hand them over."""
    if kind == "events":
        return rule.add_data, ([{"@timestamp": at, **event} for event in what],)
    if kind == "count":
        return rule.add_count_data, ({at: what},)
    if kind == "terms":
        return rule.add_terms_data, ({at: [{"key": key, "doc_count": number} for key, number in what]},)
    if kind == "collect":
        return rule.garbage_collect, (at,)
    if kind == "share":
        return check_shares, (rule, at, what)
    raise ValueError(kind)


def check_shares(rule, at, shares):
    for key, hits, others in shares:
        buckets = {"match_bucket": {"doc_count": hits}, "_other_": {"doc_count": others}}
        rule.check_matches(at, key, {"percentage_match_aggs": {"buckets": buckets}})


def key_of(match, options):
    """The value of the rule's ``query_key``, or of what a new_term rule looks at; flatline names it itself."""
    if "fields" in options:
        names = options["fields"][0]
        return "/".join(match[name] for name in ([names] if isinstance(names, str) else names))
    return match.get("key") or match.get(options.get("query_key"), "all")


if __name__ == "__main__":
    main()
