"""Commands for the files people write: rules and topics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faultline.cli.common import console, read_settings

app = typer.Typer()


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
