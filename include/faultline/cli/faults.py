"""How ``faultline check`` prints what it found: for people and editors, for programs, and for GitHub's annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultline.errors import Fault


class CheckFormat(StrEnum):
    """How faults are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Found:
    """A fault, or only a warning."""

    fault: Fault
    warning: bool = False


def printed(found: Sequence[Found], good: Sequence[str], format: CheckFormat) -> str:
    """Everything found, a line each; ``good`` are the files without a fault."""
    if format is CheckFormat.JSON:
        return json.dumps([_object(each) for each in found], ensure_ascii=False, indent=2)
    if format is CheckFormat.GITHUB:
        return "\n".join(_annotation(each) for each in found)
    return "\n".join([*(f"{file}: good" for file in good), *(_line(each) for each in found)])


def _line(found: Found) -> str:
    fault = found.fault
    return f"{fault.file}:{fault.line}: warning: {fault.message}" if found.warning else str(fault)


def _object(found: Found) -> dict[str, object]:
    fault = found.fault
    kind = "warning" if found.warning else "error"
    return {"file": fault.file, "line": fault.line, "kind": kind, "message": fault.message}


def _annotation(found: Found) -> str:
    """Workflow commands of GitHub Actions; a message is one line there, with percent signs and line ends escaped."""
    kind, fault = "warning" if found.warning else "error", found.fault
    text = fault.message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} file={fault.file},line={max(fault.line, 1)}::{text}"
