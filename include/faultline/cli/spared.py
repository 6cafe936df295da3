"""Arrow without pandas, for commands that have no use for it: importing pandas takes longer than most searches."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"{name} is not for this command", name=name)


def spare_pandas() -> None:
    """Arrow looks for pandas once, at its first value (pyarrow 26, pandas-shim.pxi): let it find none.

    From then on this process has no ``to_pandas``. Does nothing where pandas is imported already.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(finder)
