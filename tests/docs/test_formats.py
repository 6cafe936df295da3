"""docs/formats.md and examples/formats: what they say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from faultline.records.fingerprints import fingerprint
from faultline.records.levels import WORDS, normalise_level
from faultline.records.samples import read_samples
from faultline.records.times import parse_times
from faultline.topicfile import TopicConfig, TopicFields, load_topics

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples" / "formats"
TOPICS = {topic.name: topic for topic in load_topics((EXAMPLES / "topics.yaml").read_text(encoding="utf-8")).topics}
SHOWN = re.findall(r"<!-- example: (\S+) -->\n```\n(.*?)\n```\n\n(.*?)\n\n", TEXT, re.DOTALL)
TIMES = re.findall(r"^\| `([^`]+)` \| (\d{4}-\d\d-\d\d \S+) \|$", TEXT, re.MULTILINE)
LEVELS = re.findall(r"^\| `([A-Z]+)` \| (.*) \| ([0-9, ]+) \| (.*) \|$", TEXT, re.MULTILINE)
WRITERS = re.findall(r"^\| [^|]+ \| `(\{-?\d+: .*\})` \|$", TEXT, re.MULTILINE)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize(("name", "line", "table"), SHOWN, ids=[name for name, _, _ in SHOWN])
def test_an_example_line_becomes_the_row_beside_it(name: str, line: str, table: str) -> None:
    heading, _, row = table.splitlines()
    [sample] = read_samples([line.encode()], TOPICS[name])
    assert sample.found == dict(zip(_cells(heading), _cells(row), strict=True))
    assert line in next(EXAMPLES.glob(f"{name}.*")).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", TOPICS)
def test_every_example_is_read(name: str) -> None:
    [file] = EXAMPLES.glob(f"{name}.*")
    samples = read_samples(file.read_bytes().splitlines(), TOPICS[name])
    assert [sample.error for sample in samples] == [None] * len(samples)
    assert {"level", "message"} <= samples[0].found.keys()


@pytest.mark.parametrize(("written", "read"), TIMES)
def test_a_time_is_read_as_the_table_says(written: str, read: str) -> None:
    [time] = pa.array(parse_times(pa.array([written]))).cast(pa.timestamp("us")).to_pylist()
    assert str(time) == read


def test_the_table_of_levels_is_whole() -> None:
    assert {level: words.replace("`", "").split(", ") for level, words, _, _ in LEVELS} == {
        level: [level, *words] for level, words in WORDS.items()
    }


@pytest.mark.parametrize(("level", "syslog", "python"), [(level, *numbers) for level, _, *numbers in LEVELS])
def test_a_number_is_the_level_the_table_says(level: str, syslog: str, python: str) -> None:
    edges = re.findall(r"\d+", python)
    assert {normalise_level(number) for number in (*syslog.split(", "), *edges)} == {level}


@pytest.mark.parametrize("levels", WRITERS)
def test_the_levels_of_other_writers_can_be_pasted(levels: str) -> None:
    assert load_topics(f"topics: [{{name: app, levels: {levels}}}]").topics[0].levels


@pytest.mark.parametrize("name", TopicFields.model_fields)
def test_every_field_is_there_with_its_names(name: str) -> None:
    names = ", ".join(f"`{each}`" for each in getattr(TopicFields(), name))
    assert f"| `{name}` | {names} |" in TEXT


@pytest.mark.parametrize("name", TopicConfig.model_fields)
def test_every_setting_of_a_topic_is_there(name: str) -> None:
    assert re.search(rf"^\| [^|]*`{name}`", TEXT, re.MULTILINE)


def test_the_fingerprint_it_shows_is_one() -> None:
    [shown] = re.findall(r"such as `(v1:[0-9a-f]{12})`", TEXT)
    assert shown == fingerprint(None, "cart 17 is gone")
