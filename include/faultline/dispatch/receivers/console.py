"""Messages on a stream, to be read by a person: for a trial without any provider, and as the last fallback."""

from __future__ import annotations

import sys
from textwrap import indent
from typing import TextIO

from rich.console import Console
from rich.text import Text

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.messages import render
from faultline.dispatch.style import DEFAULT_STYLE, Style
from faultline.model import Notification, NotificationKind

_STYLES = {
    NotificationKind.RESOLVED: "bold green",
    NotificationKind.UPDATE: "bold yellow",
    NotificationKind.CORRECTION: "bold yellow",
    NotificationKind.DIGEST: "bold cyan",
}


class ConsoleReceiver:
    """Prints to ``stream`` (standard output as it is at the time of sending, when None)."""

    def __init__(self, target: str, stream: TextIO | None = None, style: Style = DEFAULT_STYLE) -> None:
        self.target = target
        self._stream = stream
        self._style = style

    def send(self, notification: Notification) -> Delivery:
        """Print it; a stream that is closed or full is worth another try."""
        stream = self._stream or sys.stdout
        message = render(notification, style=self._style)
        title = Text(_printable(message.title, stream), style=_STYLES.get(notification.kind, "bold red"))
        # Text is never parsed for markup, links or emoji, and a long line is left to the terminal to wrap.
        text = Text(_printable(indent(message.text, "  "), stream) + "\n")
        try:
            Console(file=stream, highlight=False, markup=False, emoji=False).print(
                title, text, sep="\n", soft_wrap=True
            )
            stream.flush()
        except (OSError, ValueError) as error:
            return Delivery(DeliveryStatus.TRANSIENT, type(error).__name__, str(error))
        return Delivery(DeliveryStatus.DELIVERED)


def _printable(text: str, stream: TextIO) -> str:
    """The text in what the stream can encode; a terminal in the C locale gets escapes, not an exception."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
