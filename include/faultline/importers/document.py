"""The rules file as text: small things on a line, the rest in blocks, comments above what they are about."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from faultline.dispatch.text import one_line

_WIDTH = 120
# Longer than this, what could stand on a line is a block.
_ON_A_LINE = 100
# Texts that YAML 1.1 reads as times or truth.
_ELSEWHERE = re.compile(r"[-\d:._]+|y|n|yes|no|on|off", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a list, and what is said above it. ``off``: it is written as a comment, and so not in force."""

    value: Any
    remarks: Sequence[str] = ()
    off: bool = False


def head(*remarks: str) -> str:
    """The first lines of the file: where it comes from."""
    return _comment(remarks)


def part(name: str, value: Any, remarks: Sequence[str] = ()) -> str:
    """A field of the file with its value."""
    return _comment(remarks) + _dumped({name: value})


def listing(name: str, items: Sequence[Item], remarks: Sequence[str] = ()) -> str:
    """A field of the file that is a list; empty when everything in it is off."""
    empty = all(item.off for item in items)
    written = "".join(_comment(item.remarks) + _written(item) for item in items)
    return f"{_comment(remarks)}{name}:{' []' if empty else ''}\n{written}"


def grouped(name: str, group: str, inside: str) -> str:
    """A list of one group, and text that is inside of it."""
    return f"{name}:\n- name: {group}\n{textwrap.indent(inside, '  ')}"


def _written(item: Item) -> str:
    dumped = _dumped([item.value])
    return textwrap.indent(dumped, "# ", lambda line: True) if item.off else dumped


def _comment(remarks: Iterable[str]) -> str:
    return "".join(f"# {one_line(remark)}\n" for remark in remarks)


def _dumped(value: Any) -> str:
    yaml = YAML(typ="rt")
    yaml.width = _WIDTH
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump(_styled(value, flat=False), stream)
    return stream.getvalue()


def _styled(value: Any, *, flat: bool) -> Any:
    """The value as ruamel writes it nicely; ``flat`` for what is inside of something on a line."""
    if isinstance(value, Mapping):
        styled: CommentedMap | CommentedSeq = CommentedMap()
        flat = flat or (_is_small(value) and len(value) <= 2)
        for name, item in value.items():
            styled[name] = _styled(item, flat=flat)
    elif isinstance(value, list):
        flat = flat or _is_small(value)
        styled = CommentedSeq(_styled(item, flat=flat) for item in value)
    elif isinstance(value, str) and ('"' in value or _ELSEWHERE.fullmatch(value)) and "\n" not in value:
        return SingleQuotedScalarString(value)
    else:
        return value
    if flat:
        styled.fa.set_flow_style()
    return styled


def _is_small(value: Any) -> bool:
    """Whether it fits on a line and has nothing in it that has parts of its own."""
    items = [*value, *value.values()] if isinstance(value, Mapping) else value
    return (
        all(not isinstance(item, Mapping | list) for item in items) and sum(len(str(i)) + 2 for i in items) < _ON_A_LINE
    )
