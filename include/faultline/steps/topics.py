"""Which topics there are to work on: ``topics.yaml`` as the settings name it."""

from __future__ import annotations

from collections.abc import Sequence

from faultline.errors import PermanentError
from faultline.settings import Settings
from faultline.topicfile import TopicConfig, TopicsFile, load_topics


def topics_of(settings: Settings) -> TopicsFile:
    """``topics.yaml``; ConfigurationError when it cannot be read."""
    document = settings.document("topics")
    return load_topics(document.text, document.source)


def archived_topics(settings: Settings, names: Sequence[str] = ()) -> list[TopicConfig]:
    """The topics to archive: those named, or all; PermanentError for a name that ``topics.yaml`` lacks."""
    topics = {topic.name: topic for topic in topics_of(settings).topics if topic.archive}
    if unknown := [name for name in names if name not in topics]:
        raise PermanentError(f"not an archived topic of {settings.document('topics').source}: {', '.join(unknown)}")
    return [topics[name] for name in names or topics]
