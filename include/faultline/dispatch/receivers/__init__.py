"""Receivers: one file per kind of channel. This one builds them from the rule file's receivers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from faultline.alerting.receiverfile import Channel, ChatConfig, Ending, ReceiverConfig, RobotConfig, Worded
from faultline.alerting.rules import Rules
from faultline.dispatch.delivery import Receiver
from faultline.dispatch.meta import Fallback
from faultline.dispatch.receivers.apprise import AppriseReceiver
from faultline.dispatch.receivers.console import ConsoleReceiver
from faultline.dispatch.receivers.dingtalk import DingTalkReceiver
from faultline.dispatch.receivers.feishu import FeishuReceiver
from faultline.dispatch.receivers.heartbeat import Heartbeat
from faultline.dispatch.receivers.pagerduty import URL as PAGERDUTY
from faultline.dispatch.receivers.pagerduty import PagerDutyReceiver
from faultline.dispatch.receivers.slack import SlackReceiver
from faultline.dispatch.receivers.webhook import WebhookReceiver
from faultline.dispatch.receivers.wecom import WeComReceiver
from faultline.dispatch.secrets import (
    Connections,
    Secret,
    environment_connection,
    from_connection,
    from_environment,
    from_file,
    in_clear,
)
from faultline.dispatch.style import Style
from faultline.errors import PermanentError


def build_receivers(
    rules: Rules, connections: Connections = environment_connection, ui_url: str | None = None
) -> dict[str, tuple[Receiver, ...]]:
    """Every receiver of the rule file with its channels; a channel's target is named by kind and place in the file.

    ``connections`` gives the fields of an Airflow Connection; credentials are read when something is sent. ``ui_url``
    is where messages link to.
    """
    return {name: tuple(_channels(receiver, connections, ui_url)) for name, receiver in rules.receivers.items()}


def build_heartbeats(rules: Rules, connections: Connections = environment_connection) -> dict[str, Heartbeat]:
    """Every heartbeat of the rule file, by its name."""
    found = {}
    for receiver in rules.receivers.values():
        for number, beat in enumerate(receiver.heartbeat_configs, 1):
            target = f"{receiver.name}/heartbeat/{number}"
            url = in_clear(beat.url) if beat.url else _secret(beat, "url", connections)
            found[target] = Heartbeat(target, url, beat.every, beat.max_lag)
    return found


def targets_of(receivers: Mapping[str, Sequence[Receiver]]) -> dict[str, tuple[str, ...]]:
    """The targets of each receiver, for ``Database.record_evaluation``."""
    return {name: tuple(channel.target for channel in channels) for name, channels in receivers.items()}


def read_by_people(receiver: ReceiverConfig, targets: Sequence[str]) -> tuple[str, ...]:
    """Those of a receiver's targets that a digest is for: it is no incident."""
    return tuple(target for target in targets if not target.startswith(f"{receiver.name}/pagerduty/"))


def told_no_ends(rules: Rules) -> frozenset[str]:
    """The targets that are not to be told of the end of an alert."""
    found = _configs(rules)
    return frozenset(target for target, each in found if isinstance(each, Ending) and not each.send_resolved)


def rates_of(rules: Rules) -> dict[str, int]:
    """How many messages each target takes in a minute, where there is a limit."""
    channels = ((target, each) for target, each in _configs(rules) if isinstance(each, Channel))
    return {target: limit for target, each in channels if (limit := each.max_per_minute or each.per_minute)}


def folds_of(rules: Rules) -> dict[str, int]:
    """Above how many waiting messages those of a target become one; not where each is an incident, or for a program."""
    return {target: each.fold_above for target, each in _configs(rules) if isinstance(each, ChatConfig)}


def _configs(rules: Rules) -> Iterator[tuple[str, Channel | Worded]]:
    """Every channel of the rule file, by its target."""
    for receiver in rules.receivers.values():
        for field, channels in receiver:
            for number, channel in enumerate(channels if field.endswith("_configs") else (), 1):
                yield f"{receiver.name}/{field.removesuffix('_configs')}/{number}", channel


def fallback_of(rules: Rules, receivers: Mapping[str, Sequence[Receiver]]) -> Fallback | None:
    """Who is told when others cannot be: the receiver of the root route."""
    name = rules.file.route.receiver
    return Fallback(name, targets_of(receivers)[name]) if name is not None and name in receivers else None


def _channels(receiver: ReceiverConfig, connections: Connections, ui_url: str | None) -> Iterator[Receiver]:
    def target(kind: str, number: int) -> str:
        return f"{receiver.name}/{kind}/{number}"

    def secret(channel: Channel, name: str) -> Secret:
        return _secret(channel, name, connections)

    def style(channel: Worded) -> Style:
        return Style(channel.language, channel.title, channel.text, ui_url)

    for number, console in enumerate(receiver.console_configs, 1):
        yield ConsoleReceiver(target("console", number), style=style(console))
    for number, webhook in enumerate(receiver.webhook_configs, 1):
        url = in_clear(webhook.url) if webhook.url else secret(webhook, "url")
        yield WebhookReceiver(target("webhook", number), url, ui_url=ui_url)
    for number, slack in enumerate(receiver.slack_configs, 1):
        yield SlackReceiver(target("slack", number), secret(slack, "api_url"), style(slack))
    for number, robot in enumerate(receiver.dingtalk_configs, 1):
        signature = _signature(robot, connections)
        yield DingTalkReceiver(target("dingtalk", number), secret(robot, "url"), signature, style(robot))
    for kind, robots in (("feishu", receiver.feishu_configs), ("lark", receiver.lark_configs)):
        for number, card in enumerate(robots, 1):
            signature = _signature(card, connections)
            yield FeishuReceiver(target(kind, number), secret(card, "url"), signature, style(card))
    for number, wecom in enumerate(receiver.wecom_configs, 1):
        yield WeComReceiver(target("wecom", number), secret(wecom, "url"), style(wecom))
    for number, duty in enumerate(receiver.pagerduty_configs, 1):
        key, api = secret(duty, "routing_key"), duty.url or PAGERDUTY
        yield PagerDutyReceiver(target("pagerduty", number), key, style(duty), url=api)
    for number, service in enumerate(receiver.apprise_configs, 1):
        yield AppriseReceiver(target("apprise", number), secret(service, "url"), style(service))


def _secret(channel: Channel, name: str, connections: Connections) -> Secret:
    place = channel.place(name)
    if place is None:
        raise PermanentError(f"the rules file does not say where the {name} is")
    if place.kind == "env":
        return from_environment(place.name)
    if place.kind == "file":
        return from_file(place.name)
    return from_connection(place.name, place.field, connections)


def _signature(robot: RobotConfig, connections: Connections) -> Secret | None:
    """What signs a robot's messages, where the file or the connection has it."""
    return _secret(robot, "secret", connections) if robot.place("secret") else None
