"""Commands for the files people write: rules and topics."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from faultline.cli.common import console, read_settings

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
) -> None:
    """Check the rules and topics files; prints every fault as file:line: message."""
    from faultline.alerting.rules import load_rules
    from faultline.errors import ConfigurationError
    from faultline.settings import load_topics

    faults = []
    for path, load in (
        (rules or read_settings().rules_file, load_rules),
        (topics or read_settings().topics_file, load_topics),
    ):
        try:
            load(path.read_text(encoding="utf-8"), str(path))
            console.print(f"{path}: good", highlight=False, markup=False)
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}:0: cannot be read: {error}")
        except ConfigurationError as error:
            faults.extend(map(str, error.faults))
    for fault in faults:
        # Not through rich: a fault must stay on one line for editors and grep.
        print(fault)
    raise typer.Exit(1 if faults else 0)


@app.command("test")
def rehearse_files(
    files: Annotated[list[Path], typer.Argument(help="Test files.")],
    format: Annotated[TestFormat, typer.Option(help="For people or for programs.")] = TestFormat.TEXT,
) -> None:
    """Run rules, chains and dispatch over the stories of test files, and compare with what they expect."""
    from faultline.alerting.rehearsal import TestResult, as_json, as_lines, rehearse
    from faultline.errors import ConfigurationError

    results: list[TestResult] = []
    faults: list[str] = []
    for file in files:
        try:
            found = rehearse(file.read_text(encoding="utf-8"), str(file), _beside(file))
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{file}:0: cannot be read: {error}")
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


def _beside(file: Path) -> Callable[[str], str]:
    """Reads what a file names: relative to the file's own folder."""
    return lambda name: (file.parent / name).read_text(encoding="utf-8")
