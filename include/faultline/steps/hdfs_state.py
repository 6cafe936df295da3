"""How HDFS is, and what the archive takes of it, as far as it can be told now."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from faultline.adapters.webhdfs import FolderUse, HdfsHealth, HdfsState
from faultline.errors import PermanentError, TransientError
from faultline.settings import Settings

# From here on somebody should look: HDFS stops taking files when it is full.
NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class StorageState:
    """``state`` is None where the NameNode said nothing, ``use`` where nothing is in the archive's ``folder`` yet.

    ``fault`` is why there is no more of it.
    """

    folder: str
    state: HdfsState | None = None
    use: FolderUse | None = None
    fault: str = ""


def hdfs_state(settings: Settings) -> StorageState | None:
    """None without a WebHDFS URL. HDFS that does not answer is a fault of the state, not an error."""
    if settings.webhdfs_url is None:
        return None
    folder = urlsplit(settings.archive_url).path
    health = HdfsHealth(settings.webhdfs_url)
    state = None
    try:
        state = health.state()
        return StorageState(folder, state, health.use(folder))
    except (TransientError, PermanentError) as error:
        return StorageState(folder, state, fault=str(error))


def nearly_full(used: int, most: int) -> bool:
    """Whether somebody should look."""
    return used >= NEARLY_FULL * most
