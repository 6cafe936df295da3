"""Receivers: one file per kind of channel. This one builds them from the rule file's receivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faultline.alerting.rules import Rules
from faultline.dispatch.delivery import Receiver
from faultline.dispatch.receivers.console import ConsoleReceiver
from faultline.dispatch.receivers.webhook import WebhookReceiver


def build_receivers(rules: Rules) -> dict[str, tuple[Receiver, ...]]:
    """Every receiver of the rule file with its channels; a channel's target is named by kind and place in the file."""
    return {
        name: (
            *(
                ConsoleReceiver(f"{name}/console/{number}")
                for number, _ in enumerate(receiver.console_configs, start=1)
            ),
            *(
                WebhookReceiver(f"{name}/webhook/{number}", webhook.url)
                for number, webhook in enumerate(receiver.webhook_configs, start=1)
            ),
        )
        for name, receiver in rules.receivers.items()
    }


def targets_of(receivers: Mapping[str, Sequence[Receiver]]) -> dict[str, tuple[str, ...]]:
    """The targets of each receiver, for ``Database.record_evaluation``."""
    return {name: tuple(channel.target for channel in channels) for name, channels in receivers.items()}
