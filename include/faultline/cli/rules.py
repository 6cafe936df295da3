"""Commands for the files people write: rules and topics."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultline.cli.common import plain_errors, read_settings
from faultline.cli.faults import CheckFormat, Found, printed

if TYPE_CHECKING:
    from faultline.topicfile import TopicConfig

app = typer.Typer()


class TestFormat(StrEnum):
    """How results are printed."""

    __test__ = False

    TEXT = "text"
    JSON = "json"


@app.command()
def check(
    rules: Annotated[Path | None, typer.Option(help="The rules file; that of the settings unless given.")] = None,
    topics: Annotated[Path | None, typer.Option(help="The topics file; that of the settings unless given.")] = None,
    format: Annotated[CheckFormat, typer.Option(help="For people, for programs or for GitHub.")] = CheckFormat.TEXT,
) -> None:
    """Check the rules and topics files; prints every fault as file:line: message."""
    from faultline.alerting.rules import Rules, load_rules
    from faultline.alerting.warnings import find_warnings
    from faultline.errors import ConfigurationError
    from faultline.topicfile import load_topics
    from faultline.yaml_files import read_text

    found: list[Found] = []
    good: list[str] = []
    for path, load in (
        (rules or read_settings().rules_file, load_rules),
        (topics or read_settings().topics_file, load_topics),
    ):
        try:
            text = read_text(path)
            loaded = load(text, str(path))
        except ConfigurationError as error:
            found.extend(map(Found, error.faults))
        else:
            good.append(str(path))
            if isinstance(loaded, Rules):
                found += [Found(doubt, warning=True) for doubt in find_warnings(loaded.file, text, str(path))]
    # Not through rich: a fault must stay on one line for editors and grep.
    print(printed(found, good, format))
    raise typer.Exit(1 if any(not each.warning for each in found) else 0)


class SchemaOf(StrEnum):
    """The files that have a schema."""

    RULES = "rules"
    TOPICS = "topics"
    TESTS = "tests"


@app.command()
def schema(of: Annotated[SchemaOf, typer.Argument(help="Which file.")]) -> None:
    """Print the JSON Schema of a file, for editors and other checkers."""
    from faultline.alerting.schemas import json_schema

    print(json_schema(of.value))


@app.command("test")
def rehearse_files(
    files: Annotated[list[Path], typer.Argument(help="Test files.")],
    format: Annotated[TestFormat, typer.Option(help="For people or for programs.")] = TestFormat.TEXT,
) -> None:
    """Run rules, chains and dispatch over the stories of test files, and compare with what they expect."""
    from faultline.alerting.rehearsal import TestResult, as_json, as_lines, rehearse
    from faultline.errors import ConfigurationError
    from faultline.yaml_files import read_text

    results: list[TestResult] = []
    faults: list[str] = []
    for file in files:
        try:
            found = rehearse(read_text(file), str(file), _beside(file))
        except ConfigurationError as error:
            faults.extend(map(str, error.faults))
        else:
            results += found
    if format is TestFormat.JSON:
        print(json.dumps(as_json(results), ensure_ascii=False, indent=2))
    else:
        for line in (line for result in results for line in as_lines(result)):
            print(line)
    for fault in faults:
        print(fault, file=sys.stderr)
    raise typer.Exit(1 if faults or not all(result.ok for result in results) else 0)


@app.command("try-format")
def try_format(
    topic: Annotated[str, typer.Argument(help="A topic of the topics file.")],
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="Records, one a line; - for what is typed or piped in.")],
    topics: Annotated[Path | None, typer.Option(help="The topics file; that of the settings unless given.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="The file is one record, of many lines.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Records to show; all are read.")] = 20,
) -> None:
    """Show what a topic's format makes of sample records: times, levels, services, labels, fingerprints."""
    from faultline.cli.samples import print_samples
    from faultline.records.samples import read_samples

    with plain_errors():
        config = _topic(topic, topics or read_settings().topics_file)
    text = file.read()
    values = [text] if whole else [line for line in text.split(b"\n") if line.strip()]
    samples = read_samples(values, config)
    print_samples(samples, limit)
    raise typer.Exit(1 if not samples or any(sample.error for sample in samples) else 0)


def _topic(name: str, path: Path) -> TopicConfig:
    from faultline.errors import PermanentError
    from faultline.topicfile import load_topics
    from faultline.yaml_files import nearest, read_text

    known = {topic.name: topic for topic in load_topics(read_text(path), str(path)).topics}
    if name not in known:
        raise PermanentError(f"{path} has no topic {name!r}{nearest(name, known)}")
    return known[name]


def _beside(file: Path) -> Callable[[str], str]:
    """Reads what a file names: relative to the file's own folder."""
    from faultline.yaml_files import read_text

    return lambda name: read_text(file.parent / name)
