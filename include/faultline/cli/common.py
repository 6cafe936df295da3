"""What every command shares: the console, the settings, and errors as sentences instead of tracebacks."""

from __future__ import annotations

import contextlib
import getpass
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from faultline.adapters.kafka import KafkaSource
    from faultline.settings import Settings

console = Console()

Topics = Annotated[list[str] | None, typer.Option("--topic", help="Only this topic; may be repeated.")]

Author = Annotated[str | None, typer.Option(help="Who says so; the user of this system unless given.")]


def own_name() -> str:
    """The name of who runs the command; in a container a user may have none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def typed(text: str) -> str:
    """What was typed, with bytes replaced that are not UTF-8."""
    return text.encode("utf-8", "replace").decode()


def read_settings() -> Settings:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from faultline.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = "_".join(["FAULTLINE", *map(str, detail["loc"])]).upper()
            said = detail["msg"].removeprefix("Value error, ")
            console.print(f"[bold red]{escape(name)}[/]: {escape(said)}", soft_wrap=True)
        raise typer.Exit(2) from None
    except SettingsError as error:
        console.print(f"[bold red]Settings[/]: {escape(f'{error}: {error.__cause__}')}", soft_wrap=True)
        raise typer.Exit(2) from None


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the command with the sentence of an expected error instead of a traceback."""
    from faultline.errors import FaultlineError

    try:
        yield
    except FaultlineError as error:
        Console(stderr=True).print(f"[bold red]{escape(type(error).__name__)}:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None


@contextlib.contextmanager
def kafka_source(settings: Settings) -> Iterator[KafkaSource]:
    from faultline.adapters.kafka import KafkaSource

    with KafkaSource(settings.kafka_bootstrap_servers, settings.kafka_properties) as source:
        yield source
