"""Commands for what is sent: a test message, the outbox, and what could not be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from faultline.cli.common import console, plain_errors, read_settings

if TYPE_CHECKING:
    from faultline.dispatch.delivery import Delivery, Sent

app = typer.Typer()
outbox = typer.Typer(no_args_is_help=True, help="What was sent, what waits, and what could not be delivered.")
app.add_typer(outbox, name="outbox")

_STATES = "queued, leased, retry, delivered, dead, superseded, folded_into_digest."
Target = Annotated[str | None, typer.Option(help="Only this target, such as ops/slack/1.")]


@app.command("notify-test")
def notify_test(receiver: Annotated[str, typer.Argument(help="Its name in the rules file.")]) -> None:
    """Send one marked test message to each channel of a receiver and print what its provider answers."""
    from faultline.model import utc_now
    from faultline.steps.sending import send_test

    with plain_errors(), console.status(f"Sending to {receiver} …"):
        answers = send_test(read_settings(), receiver, at=utc_now())
    for target, delivery in answers:
        console.print(f"{escape(target)}: {_answer(delivery)}", soft_wrap=True, highlight=False)
    if not answers:
        console.print(f"{receiver} has no channels: nobody is told.", markup=False, highlight=False)
    raise typer.Exit(0 if answers and all(delivery.status == "delivered" for _, delivery in answers) else 1)


def _answer(delivery: Delivery) -> str:
    from faultline.dispatch.delivery import provider_answer
    from faultline.dispatch.text import one_line

    colour = {"delivered": "green", "transient": "yellow"}.get(delivery.status, "red")
    said = provider_answer(delivery.provider_code, delivery.provider_message)
    wait = f" (try again in {delivery.retry_after})" if delivery.retry_after else ""
    return f"[bold {colour}]{delivery.status}[/] {escape(one_line(said))}{wait}".rstrip()


@outbox.command("list")
def list_(
    state: Annotated[list[str] | None, typer.Option(help=_STATES)] = None,
    target: Target = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
) -> None:
    """What was or is to be sent to whom, newest first, with the provider's last answer."""
    from faultline.adapters.database import Database
    from faultline.dispatch.delivery import OutboxState

    try:
        states = [OutboxState(name) for name in state or ()]
    except ValueError as error:
        raise typer.BadParameter(f"{error}; there are {', '.join(OutboxState)}") from None
    with plain_errors(), Database(read_settings().database_url) as database:
        rows = database.recent_notifications(limit, states, target)
    console.print(_table(rows) if rows else "Nothing.")


def _table(rows: list[Sent]) -> Table:
    from faultline.dispatch.text import one_line

    table = Table("Created (UTC)", "State", "Target", "Notification", "Attempts", "The provider said")
    for row in rows:
        told = row.notification
        cells = (row.state, one_line(row.target), one_line(told.key), str(row.attempts), one_line(row.answer))
        table.add_row(f"{told.created_at:%Y-%m-%d %H:%M:%S}", *map(escape, cells))
    return table


@outbox.command()
def retry(
    keys: Annotated[list[str] | None, typer.Argument(help="Ids of notifications; all that are dead without.")] = None,
    target: Target = None,
) -> None:
    """Make dead notifications due again; whoever dispatches sends them next.

    One whose target has since been told something later of the same episode stays dead.
    """
    from faultline.adapters.database import Database
    from faultline.model import utc_now

    with plain_errors(), Database(read_settings().database_url) as database:
        number = database.requeue_dead(utc_now(), keys or (), target)
    console.print(f"{number} due again.")
    raise typer.Exit(0 if number else 1)
