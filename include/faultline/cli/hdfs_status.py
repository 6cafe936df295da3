"""What ``faultline status`` says of HDFS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.markup import escape

if TYPE_CHECKING:
    from faultline.adapters.webhdfs import FolderUse, HdfsState
    from faultline.settings import Settings


def hdfs_lines(settings: Settings) -> Iterator[str]:
    """Lines of console markup; none without a WebHDFS URL. HDFS that does not answer is a line, not an error."""
    from faultline.steps.hdfs_state import hdfs_state

    if (said := hdfs_state(settings)) is None:
        return
    if said.state is not None:
        yield from state_lines(said.state)
    if said.fault:
        yield f"[bold red]HDFS:[/] {escape(said.fault)}"
    else:
        yield from use_lines(said.folder, said.use)


def state_lines(state: HdfsState) -> Iterator[str]:
    """Whether HDFS takes files, and how much room there is."""
    mode = "[bold red]in safe mode, takes no changes[/]" if state.safe_mode else "takes files"
    dead = f", [bold red]{state.dead_datanodes} dead[/]" if state.dead_datanodes else ""
    yield f"HDFS: {mode}; {state.live_datanodes} DataNodes{dead}; {_share(state.used, state.used + state.remaining)}"
    if state.missing_replicas:
        yield f"[yellow]HDFS: {state.missing_replicas:,} blocks have fewer replicas than they should[/]"


def use_lines(folder: str, use: FolderUse | None) -> Iterator[str]:
    """What the archive takes, and its quotas."""
    from faultline.steps.hdfs_state import nearly_full

    if use is None:
        yield f"Archive: nothing in {escape(folder)} yet"
        return
    yield f"Archive: {use.files:,} files, {decimal(use.bytes)}, with replicas {decimal(use.stored)}"
    if use.space_quota is not None:
        yield f"Archive, space quota: {_share(use.stored, use.space_quota)}"
    if use.name_quota is not None:
        said = f"{use.names:,} of {use.name_quota:,} names"
        full = nearly_full(use.names, use.name_quota)
        yield "Archive, name quota: " + (f"[bold red]{said}[/]" if full else said)


def _share(used: int, total: int) -> str:
    from faultline.steps.hdfs_state import nearly_full

    said = f"{decimal(used)} of {decimal(total)} used"
    return f"[bold red]{said}[/]" if nearly_full(used, total) else said
