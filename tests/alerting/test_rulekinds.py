from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from faultline.alerting.rules import Rules, load_rules
from faultline.errors import ConfigurationError
from faultline.yaml_files import parse_yaml

ROUTE = {"route": {"receiver": "ops"}, "receivers": [{"name": "ops"}]}


def load(*rules: object) -> Rules:
    return load_rules(json.dumps({"groups": [{"name": "g", "rules": list(rules)}], **ROUTE}))


def test_the_examples_of_every_kind_in_the_documentation_load() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerting.md").read_text(encoding="utf-8")
    example = page.split("## Kinds of rules")[1].split("```yaml\n")[1].split("```")[0]
    kinds = [rule.type for rule in load(*parse_yaml(example, "alerting.md")).rules.values()]
    assert kinds == ["percentage_match", "spike", "flatline", "cardinality", "new_term"]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"type": "frequencies"}, "unknown type 'frequencies'; did you mean 'frequency'? there are frequency, "),
        ({"type": "percentage_match", "match_bucket_filter": ["a=b"]}, "needs max_percentage or min_percentage"),
        ({"type": "cardinality", "cardinality_field": "host"}, "needs max_cardinality or min_cardinality"),
        ({"type": "spike", "spike_height": 1, "spike_type": "up"}, "rules.0.spike_height: Input should be greater"),
        ({"type": "flatline"}, "missing field 'groups.0.rules.0.threshold'"),
        ({"type": "new_term", "field": ["a"]}, "unknown field 'field'; did you mean 'fields'?"),
        ({"num_events": 1, "threshold": 3}, "unknown field 'threshold'"),
    ],
)
def test_a_fault_of_a_kind_is_a_sentence(rule: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(fault.replace("'? there", "'?; there"))):
        load({"alert": "A", "timeframe": "1m", **rule})
