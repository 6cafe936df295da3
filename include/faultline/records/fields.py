"""Which places of a JSON record hold a field: the paths tried, in order, for every name of a topic's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from faultline.records.schema import LABEL_PREFIX
from faultline.topicfile import TopicConfig

Path = tuple[str, ...]

# Logstash V0 keeps everything but time, host and message one level down.
_NESTED = "@fields"
# Of a name with more dots each would double the places to look at.
_MOST_PARTS = 6


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
    shapes = [shape for name in names for shape in _shapes(name)]
    return tuple(dict.fromkeys(path for shape in shapes for path in (shape, (_NESTED, *shape))))


def _shapes(name: str) -> list[Path]:
    """The name as one key, as a path of keys, and what is between: ``labels.app.example/name`` has keys with dots."""
    parts = name.split(".")
    shapes: list[Path] = [(name,), tuple(parts)]
    if len(parts) <= _MOST_PARTS:
        shapes += [tuple(_cut(parts, cuts)) for cuts in product((True, False), repeat=len(parts) - 1)]
    return list(dict.fromkeys(shapes))


def _cut(parts: list[str], cuts: tuple[bool, ...]) -> Path:
    """Keys from parts: a new one begins after each dot that is a cut."""
    keys = parts[:1]
    for part, cut in zip(parts[1:], cuts, strict=True):
        keys = [*keys, part] if cut else [*keys[:-1], f"{keys[-1]}.{part}"]
    return tuple(keys)
