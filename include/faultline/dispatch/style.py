"""How a channel wants its messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Style:
    """The language, templates of its own, and where Faultline's page is."""

    language: Language = "en"
    title: str | None = None
    text: str | None = None
    ui_url: str | None = None


DEFAULT_STYLE = Style()
