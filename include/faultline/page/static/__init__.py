"""What the page's documents load: the script, the style, the icons beside this file, and the installed chart library.

An address carries a hash of the content, so a browser keeps what it has loaded for good.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from faultline.errors import PermanentError

CHARTS = "plotly.min.js"
_STYLE_ID = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')
_MEDIA = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    body: bytes
    zipped: bytes
    media_type: str
    version: str


@lru_cache
def asset(name: str) -> Asset | None:
    """The file of that name, read once; None when there is none."""
    media = _MEDIA.get(Path(name).suffix)
    if media is None or name != Path(name).name:
        return None
    file = _charts() if name == CHARTS else files(__name__).joinpath(name)
    if not file.is_file():
        return None
    body = file.read_bytes()
    return Asset(body, gzip.compress(body, 6, mtime=0), media, hashlib.sha256(body).hexdigest()[:12])


@lru_cache
def style_ids() -> tuple[str, ...]:
    """The ids of style elements that the chart library makes when it is loaded and that are not there.

    They are for maps, which we have none of, and our policy refuses them.
    """
    charts = asset(CHARTS)
    return tuple(each.decode() for each in _STYLE_ID.findall(charts.body)) if charts else ()


def _charts() -> Path:
    """The browser's half of plotly. The package itself is not imported: that takes longer than answering."""
    found = find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise PermanentError("the page's charts need plotly: pip install 'faultline[airflow]'")
    return Path(found.submodule_search_locations[0]) / "package_data" / CHARTS
