"""The shape of the ``receivers:`` part of ``rules.yaml``, in Alertmanager's words where it has them.

A credential is never in the file: the file says which environment variable, file or Airflow Connection has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, model_validator

from faultline.dispatch.templates import check_message_template
from faultline.durations import PositiveDuration
from faultline.yaml_files import StrictModel

Name = Annotated[str, Field(min_length=1)]

# Addresses that are credentials themselves.
_ROBOT_HOSTS = {
    "hooks.slack.com": "slack_configs",
    "oapi.dingtalk.com": "dingtalk_configs",
    "open.feishu.cn": "feishu_configs",
    "open.larksuite.com": "lark_configs",
    "qyapi.weixin.qq.com": "wecom_configs",
    "events.pagerduty.com": "pagerduty_configs",
}
_SECRET_WORDS = ("token", "key", "secret", "sign", "sig", "password", "auth")


def _address(url: str) -> str:
    """An address that may stand in the file; none of the messages repeats it, it may hold a secret."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("not an http or https URL")
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if not named:
        raise ValueError("not a URL: no host to send to")
    if robot := _ROBOT_HOSTS.get(parts.hostname or ""):
        raise ValueError(f"the address of a {robot.removesuffix('_configs')} robot is a secret: use {robot}")
    query = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if parts.password or any(word in name for name in query for word in _SECRET_WORDS):
        raise ValueError(_in_clear("url", "this address holds a secret"))
    return url


def _in_clear(name: str, what: str) -> str:
    return (
        f"{what}, which must not stand in this file; "
        f"write {name}_env: VARIABLE, {name}_file: PATH or conn_id: CONNECTION instead"
    )


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a credential is: the name of a variable, of a file, or of a connection and the field in it."""

    kind: Literal["env", "file", "conn"]
    name: str
    field: str = "password"


class Channel(StrictModel):
    """What every channel with credentials has. ``secrets`` names them; the first is the one it cannot do without.

    ``per_minute`` is what the provider takes.
    """

    secrets: ClassVar[tuple[str, ...]] = ()
    per_minute: ClassVar[int | None] = None

    max_per_minute: int | None = Field(default=None, ge=1, description="messages in any minute; the provider's limit")
    conn_id: Name | None = Field(
        default=None, description="Airflow Connection; its password is the first credential, its Extra has others"
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_in_clear(cls, data: Any) -> Any:
        for name in cls.secrets if isinstance(data, Mapping) else ():
            if name in data and name not in cls.model_fields:
                raise ValueError(_in_clear(name, f"{name} is a secret"))
        return data

    @model_validator(mode="after")
    def _one_place_each(self) -> Self:
        for name in self.secrets:
            ways = [name, f"{name}_env", f"{name}_file", *(["conn_id"] if name == self.secrets[0] else [])]
            said = [way for way in ways if getattr(self, way, None) is not None]
            if len(said) > 1:
                raise ValueError(f"only one of {' and '.join(said)}")
            if not said and "conn_id" in ways:
                raise ValueError(f"no {name}: write {name}_env: VARIABLE, {name}_file: PATH or conn_id: CONNECTION")
        return self

    def place(self, name: str) -> SecretPlace | None:
        """Where the credential of this name is; None when the channel has none, or has it in clear."""
        if variable := getattr(self, f"{name}_env"):
            return SecretPlace("env", variable)
        if file := getattr(self, f"{name}_file"):
            return SecretPlace("file", file)
        if self.conn_id is None or getattr(self, name, None) is not None:
            return None
        return SecretPlace("conn", self.conn_id, "password" if name == self.secrets[0] else name)


MessageTemplate = Annotated[str, AfterValidator(check_message_template)]


class Ending(StrictModel):
    """What every channel has that is sent alerts."""

    send_resolved: bool = Field(default=True, description="whether it is told of the end of what it was told of")


class Worded(Ending):
    """What every channel that sends words has."""

    language: Literal["en", "zh"] = "en"
    title: MessageTemplate | None = Field(default=None, description="Jinja2 template of the title")
    text: MessageTemplate | None = Field(default=None, description="Jinja2 template of the text")


class ChatConfig(Worded, Channel):
    """What every channel has that people read."""

    fold_above: int = Field(
        default=10, ge=1, description="when more messages than these wait for their turn, they become one"
    )


class ConsoleConfig(Worded):
    """Messages on standard output."""


class WebhookConfig(Ending, Channel):
    """Messages by POST, in the JSON shape of Alertmanager's webhook."""

    secrets = ("url",)

    url: Annotated[str, AfterValidator(_address)] | None = Field(default=None, description="an address without secrets")
    url_env: Name | None = None
    url_file: Name | None = None


class SlackConfig(ChatConfig):
    """Slack's incoming webhook, or a compatible one."""

    secrets = ("api_url",)
    per_minute = 60

    api_url_env: Name | None = None
    api_url_file: Name | None = None


class RobotConfig(ChatConfig):
    """A chat robot that can ask for signed messages."""

    secrets = ("url", "secret")

    url_env: Name | None = None
    url_file: Name | None = None
    secret_env: Name | None = Field(default=None, description="what signs the messages, where the robot asks for that")
    secret_file: Name | None = None


class DingTalkConfig(RobotConfig):
    """DingTalk's custom robot, which is blocked for ten minutes when it is sent more."""

    per_minute = 20


class FeishuConfig(RobotConfig):
    """The custom robot of Feishu or Lark."""

    per_minute = 100


class WeComConfig(ChatConfig):
    """WeCom's group robot."""

    secrets = ("url",)
    per_minute = 20

    url_env: Name | None = None
    url_file: Name | None = None


class PagerDutyConfig(Worded, Channel):
    """PagerDuty's Events API v2."""

    secrets = ("routing_key",)

    routing_key_env: Name | None = None
    routing_key_file: Name | None = None
    url: Annotated[str, AfterValidator(_address)] | None = Field(default=None, description="another address of the API")


class AppriseConfig(ChatConfig):
    """One service that Apprise knows: mail, ntfy, Telegram …"""

    secrets = ("url",)

    url_env: Name | None = None
    url_file: Name | None = None


class HeartbeatConfig(Channel):
    """A POST again and again, to a service that raises an alarm when none comes. It is sent no alerts."""

    secrets = ("url",)

    url: Annotated[str, AfterValidator(_address)] | None = Field(default=None, description="an address without secrets")
    url_env: Name | None = None
    url_file: Name | None = None
    every: PositiveDuration = Field(default=timedelta(minutes=1), description="pause between two")
    max_lag: PositiveDuration = Field(
        default=timedelta(minutes=10), description="none is sent while counting is farther behind the clock"
    )


class ReceiverConfig(StrictModel):
    """A name for one or more ways to tell people; without any it is told nothing."""

    name: Name
    console_configs: tuple[ConsoleConfig, ...] = ()
    webhook_configs: tuple[WebhookConfig, ...] = ()
    slack_configs: tuple[SlackConfig, ...] = ()
    dingtalk_configs: tuple[DingTalkConfig, ...] = ()
    feishu_configs: tuple[FeishuConfig, ...] = ()
    lark_configs: tuple[FeishuConfig, ...] = ()
    wecom_configs: tuple[WeComConfig, ...] = ()
    pagerduty_configs: tuple[PagerDutyConfig, ...] = ()
    apprise_configs: tuple[AppriseConfig, ...] = ()
    heartbeat_configs: tuple[HeartbeatConfig, ...] = ()

    def slowest(self) -> tuple[int, int] | None:
        """The fewest messages a minute of its channels that people read, and above how many waiting they become one."""
        channels = [each for _, found in self for each in found if isinstance(each, ChatConfig)]
        limits = [(limit, each.fold_above) for each in channels if (limit := each.max_per_minute or each.per_minute)]
        return min(limits, default=None)
