"""Which places of a JSON record hold a field: the paths tried, in order, for every name of a topic's configuration."""

from __future__ import annotations

from dataclasses import dataclass

from faultline.records.schema import LABEL_PREFIX
from faultline.settings import TopicConfig

Path = tuple[str, ...]

# Logstash V0 keeps everything but time, host and message one level down.
_NESTED = "@fields"


@dataclass(frozen=True, slots=True)
class FieldPaths:
    """For each field wanted, the paths where it may be; the first that holds a text that is not empty is taken.

    A text is a string, a number or a truth value. ``joined`` fields also take a list of lines, ``dumped`` ones any
    object or list, as JSON.
    """

    paths: dict[str, tuple[Path, ...]]
    joined: frozenset[str] = frozenset({"stack_trace"})
    dumped: frozenset[str] = frozenset({"message"})


def field_paths(topic: TopicConfig) -> FieldPaths:
    """The fields and count labels of a topic's JSON records."""
    names: dict[str, tuple[str, ...]] = topic.fields.model_dump()
    labels = {LABEL_PREFIX + name: (name,) for name in topic.count_labels}
    return FieldPaths({field: _paths(candidates) for field, candidates in (names | labels).items()})


def _paths(names: tuple[str, ...]) -> tuple[Path, ...]:
    """``a.b`` is the key ``a.b``, else the key ``b`` of the object ``a``; each at the top, else inside ``@fields``."""
    shapes = [shape for name in names for shape in ((name,), tuple(name.split(".")))]
    return tuple(dict.fromkeys(path for shape in shapes for path in (shape, (_NESTED, *shape))))
