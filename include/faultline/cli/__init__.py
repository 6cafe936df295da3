"""``faultline …``: the steps for a terminal; each module has the commands of one purpose.

Settings come from the ``FAULTLINE_*`` environment, as in Airflow. Exit code 0: all is well; 1: something is wrong and
the output says what; 2: the command was called wrongly.
"""

from __future__ import annotations

import logging
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from faultline.cli import (
    ack,
    archive,
    backtest,
    digest,
    importing,
    operate,
    proof,
    replay,
    rules,
    search,
    sending,
    silence,
    upkeep,
    why,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Archive logs, count errors, page for the cause.")
for commands in (
    operate,
    rules,
    backtest,
    importing,
    archive,
    proof,
    search,
    replay,
    sending,
    silence,
    ack,
    why,
    digest,
    upkeep,
):
    app.add_typer(commands.app)


@app.callback()
def setup(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more of what happens.")] = False) -> None:
    """Archive logs, count errors, page for the cause."""
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=Console(stderr=True))]
    )
    logging.getLogger("faultline").setLevel(level)
