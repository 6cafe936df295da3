"""What ``faultline status`` says of HDFS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.filesize import decimal
from rich.markup import escape

if TYPE_CHECKING:
    from faultline.adapters.webhdfs import FolderUse, HdfsState
    from faultline.settings import Settings

# From here on somebody should look: HDFS stops taking files when it is full.
_NEARLY_FULL = 0.9


def hdfs_lines(settings: Settings) -> Iterator[str]:
    """Lines of console markup; none without a WebHDFS URL. HDFS that does not answer is a line, not an error."""
    from faultline.adapters.webhdfs import HdfsHealth
    from faultline.errors import PermanentError, TransientError

    if settings.webhdfs_url is None:
        return
    folder = urlsplit(settings.archive_url).path
    health = HdfsHealth(settings.webhdfs_url)
    try:
        yield from state_lines(health.state())
        yield from use_lines(folder, health.use(folder))
    except (TransientError, PermanentError) as error:
        yield f"[bold red]HDFS:[/] {escape(str(error))}"


def state_lines(state: HdfsState) -> Iterator[str]:
    """Whether HDFS takes files, and how much room there is."""
    mode = "[bold red]in safe mode, takes no changes[/]" if state.safe_mode else "takes files"
    dead = f", [bold red]{state.dead_datanodes} dead[/]" if state.dead_datanodes else ""
    yield f"HDFS: {mode}; {state.live_datanodes} DataNodes{dead}; {_share(state.used, state.used + state.remaining)}"
    if state.missing_replicas:
        yield f"[yellow]HDFS: {state.missing_replicas:,} blocks have fewer replicas than they should[/]"


def use_lines(folder: str, use: FolderUse | None) -> Iterator[str]:
    """What the archive takes, and its quotas."""
    if use is None:
        yield f"Archive: nothing in {escape(folder)} yet"
        return
    yield f"Archive: {use.files:,} files, {decimal(use.bytes)}, with replicas {decimal(use.stored)}"
    if use.space_quota is not None:
        yield f"Archive, space quota: {_share(use.stored, use.space_quota)}"
    if use.name_quota is not None:
        full = use.names >= _NEARLY_FULL * use.name_quota
        said = f"{use.names:,} of {use.name_quota:,} names"
        yield "Archive, name quota: " + (f"[bold red]{said}[/]" if full else said)


def _share(used: int, total: int) -> str:
    said = f"{decimal(used)} of {decimal(total)} used"
    return f"[bold red]{said}[/]" if used >= _NEARLY_FULL * total else said
