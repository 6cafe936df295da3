"""``faultline ack``: for somebody who was told and has taken it on."""

from __future__ import annotations

from typing import Annotated

import typer

from faultline.cli.common import Author, own_name, plain_errors, read_settings, typed

app = typer.Typer()


@app.command()
def ack(
    alert: Annotated[str, typer.Argument(help='Such as DbErrors, DbErrors{service="db"}, or the start of an id.')],
    comment: Annotated[str, typer.Option(help="What others should know.")] = "",
    author: Author = None,
) -> None:
    """Acknowledge an alert that fires: it is not sent again, its end is; whoever was told hears who has it."""
    from faultline.adapters.database import Database
    from faultline.alerting.acks import find_to_ack
    from faultline.dispatch.text import one_line
    from faultline.model import Ack, utc_now

    by = typed(author) if author else own_name()
    with plain_errors(), Database(read_settings().database_url) as database:
        try:
            found = find_to_ack(database.alerts(), typed(alert))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        said = found.ack
        stored = said is None and database.add_ack(Ack(found.episode, by, utc_now(), typed(comment)))
    if said is not None:
        print(one_line(f"{found.key} was {said.reason} (at {said.at:%Y-%m-%d %H:%M:%S} UTC)"))
    elif stored:
        print(
            one_line(f"{found.key} is acknowledged by {by} from the next evaluation on. Its episode: {found.episode}")
        )
    else:
        print(one_line(f"{found.key} has been acknowledged already; the next evaluation will hear of it"))
