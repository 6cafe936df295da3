"""What ``faultline status`` says of the archive's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from faultline.settings import Settings
    from faultline.steps.archive_state import TopicState

_MOST = 5


def archive_report(settings: Settings) -> Iterator[Table | str]:
    """A table of the topics, and lines of console markup; a storage that is away is a line, not an error."""
    from faultline.errors import FaultlineError
    from faultline.model import utc_now
    from faultline.steps.archive_state import archive_state

    states: list[TopicState] = []
    try:
        states += archive_state(settings, now=utc_now())
    except FaultlineError as error:
        yield f"[bold red]Archive:[/] {escape(str(error))}"
    if states:
        yield state_table(states)
    for state in states:
        yield from loss_lines(state)


def state_table(states: Sequence[TopicState]) -> Table:
    """A row for each topic."""
    table = Table("Topic", "Rows", "Size", "Files", "Small files", "To merge", "Lost", title="Archived")
    for state in states:
        lost = sum(len(loss.range) for loss in state.losses)
        said = f"[bold yellow]{lost:,}[/]" if lost else "0" if state.looked_since == 0 else "-"
        numbers = (f"{each:,}" for each in (state.files, state.small, state.to_merge))
        table.add_row(escape(state.topic), f"{state.rows:,}", decimal(state.bytes), *numbers, said)
    return table


def loss_lines(state: TopicState) -> Iterator[str]:
    """The newest losses of a topic, and where to see the others."""
    for loss in state.losses[-_MOST:]:
        yield f"[bold yellow]lost[/] {escape(str(loss))}"
    see = f"see faultline verify --topic {escape(state.topic)}"
    if (more := len(state.losses) - _MOST) > 0:
        yield f"{escape(state.topic)}: {more:,} older losses: {see}"
    if state.looked_since:
        yield f"{escape(state.topic)}: for losses of the {state.looked_since:,} commits before these: {see}"
