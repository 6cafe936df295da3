"""What ``topics.yaml`` may say; a fault names its line."""

from __future__ import annotations

import pytest

from faultline.errors import ConfigurationError
from faultline.settings import load_topics

FAULTS = {
    "outside the archive": ("topics:\n- name: ../x\n", "topics.yaml:2: topics.0.name: not a topic's name: '../x'"),
    "the folder above": ("topics:\n- name: app\n- name: ..\n", "topics.yaml:3: topics.1.name: not a topic's name"),
    "no name": ("topics:\n- name: ''\n", "topics.yaml:2: topics.0.name: not a topic's name: ''"),
    "too long": (f"topics:\n- name: {'x' * 250}\n", "topics.yaml:2: topics.0.name: not a topic's name"),
    "named twice": (
        "topics:\n- {name: app, format: nginx}\n- {name: app}\n",
        "topics.yaml:1: topics: named more than once: app",
    ),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_topics(text)
    [found] = caught.value.faults
    assert str(found).startswith(fault)


def test_a_name_that_kafka_takes_is_taken() -> None:
    assert [topic.name for topic in load_topics("topics: [{name: app.log_s-1}]").topics] == ["app.log_s-1"]
