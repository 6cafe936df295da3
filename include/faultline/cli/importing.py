"""Commands that read the files of other systems and write ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultline.cli.common import plain_errors

if TYPE_CHECKING:
    from faultline.importers.report import Conversion

app = typer.Typer()
importing = typer.Typer(no_args_is_help=True, help="Convert the files of Alertmanager or ElastAlert into a rules file.")
app.add_typer(importing, name="import")

Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it; standard output unless given.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output file.")]


@importing.command()
def alertmanager(
    file: Annotated[Path, typer.Argument(help="Alertmanager's configuration file.")],
    output: Output = None,
    force: Force = False,
) -> None:
    """Routes, receivers, inhibit rules and time intervals; prints what could not be carried, and what to do."""
    from faultline.importers.alertmanager import convert
    from faultline.yaml_files import read_text

    _check_output(output, force)
    with plain_errors():
        _write(convert(read_text(file), str(file)), output)


@importing.command()
def elastalert(
    files: Annotated[list[Path], typer.Argument(help="Rule files of ElastAlert or ElastAlert 2.")],
    output: Output = None,
    force: Force = False,
) -> None:
    """Rules and whom they tell; prints what could not be carried, and what to do."""
    from faultline.importers.elastalert import convert
    from faultline.yaml_files import read_text

    _check_output(output, force)
    with plain_errors():
        _write(convert(list(map(str, files)), lambda name: read_text(Path(name))), output)


def _check_output(output: Path | None, force: bool) -> None:
    if output is not None and output.exists() and not force:
        raise typer.BadParameter(f"{output} is there already; --force overwrites it")


def _write(conversion: Conversion, output: Path | None) -> None:
    """The file to where it belongs, what has to be known of it to people."""
    from collections import Counter

    from faultline.dispatch.text import one_line
    from faultline.errors import PermanentError

    if output is None:
        print(conversion.text, end="")
    else:
        try:
            output.write_text(conversion.text, encoding="utf-8")
        except OSError as error:
            raise PermanentError(f"{output} cannot be written: {error.strerror}") from error
    for note in conversion.notes:
        # Not through rich: a note must stay on one line for editors and grep.
        print(one_line(str(note)), file=sys.stderr)
    kinds = Counter(note.kind.value for note in conversion.notes)
    told = ", ".join(f"{number} {kind}" for kind, number in kinds.items()).replace("differs", "different")
    print(f"Carried: {conversion.carried}." + (f" Noted: {told}." if told else ""), file=sys.stderr)
