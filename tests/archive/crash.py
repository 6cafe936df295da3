"""A process that archives what a real broker holds, and dies or stops at a named step."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from faultline.adapters.kafka import KafkaSource
from faultline.model import utc_now
from faultline.settings import Settings
from faultline.steps.archive import append_group
from faultline.steps.archive_plan import plan_archive_run

BATCH = 40


def append_all(
    bootstrap: str,
    archive: str,
    topic: str,
    checkpoint: Callable[[str], None] = lambda step: None,
    *,
    patience: timedelta = timedelta(0),
    batch: int = BATCH,
) -> int:
    """Archive everything, writing down what is lost; how many rows that were."""
    with tempfile.TemporaryDirectory() as folder, KafkaSource(bootstrap) as source:
        topics = Path(folder) / "topics.yaml"
        topics.write_text(f"topics: [{{name: {topic}, lost_records: record_gap}}]")
        settings = Settings(
            archive_url=archive,
            topics_file=topics,
            database_url=f"sqlite:///{folder}/none/faultline.db",
            archive_batch_rows=batch,
            archive_patience=patience,
        )
        groups = plan_archive_run(settings, source, until=utc_now() + timedelta(minutes=1))
        return sum(append_group(settings, source, group, checkpoint=checkpoint)["rows"] for group in groups)


def signalling(at: str, number: int, after: int) -> Callable[[str], None]:
    """Sends this process a signal when the step comes that has come ``after`` times before."""
    left = [after]

    def checkpoint(step: str) -> None:
        if step == at:
            left[0] -= 1
            if left[0] == -1:
                os.kill(os.getpid(), number)

    return checkpoint


if __name__ == "__main__":
    append_all(*sys.argv[1:4], signalling(sys.argv[4], signal.Signals[sys.argv[5]], int(sys.argv[6])))
