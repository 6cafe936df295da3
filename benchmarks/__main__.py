"""``make bench``: every benchmark, each beside a peer measured in the same run; the ratios are what counts."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = (
    "alerts",
    "archive",
    "backtest",
    "compaction",
    "counts",
    "dags",
    "dispatch",
    "handler",
    "indexes",
    "page",
    "pipeline",
    "recovery",
    "search",
)


def main() -> int:
    """Run those named, or all; 2 for a name that there is none of."""
    names = sys.argv[1:] or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names:
        import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
