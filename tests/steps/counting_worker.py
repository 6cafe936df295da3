"""A counting process that dies by SIGKILL on reaching a named step."""

from __future__ import annotations

import os
import signal

from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.model import utc_now
from faultline.settings import Settings
from faultline.steps.counts import count_topic
from faultline.topicfile import TopicConfig


def count_and_die(bootstrap: str, database_url: str, topic: str, step: str) -> None:
    """Count the topic in batches of 500 records; the second time the step is reached is the last."""
    reached: list[str] = []

    def die(name: str) -> None:
        reached.append(name)
        if reached.count(step) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings(count_batch_rows=500)
    with KafkaSource(bootstrap) as source, Database(database_url) as database:
        count_topic(settings, source, database, TopicConfig(name=topic), at=utc_now(), checkpoint=die)
