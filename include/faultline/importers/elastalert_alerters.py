"""ElastAlert's alerters as receivers: rules that tell the same people in the same ways share one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from faultline.importers.references import Carrier, References, composed, is_clear, mail_address
from faultline.importers.report import Spot
from faultline.importers.sections import Field, Section, flag, section_of, text, texts

Channel = tuple[str, dict[str, Any]]

_MAIL = "mail"
ALERTERS: Mapping[str, Carrier] = {
    "slack": Carrier("slack_configs", "api_url", "slack_webhook_url"),
    "mattermost": Carrier("slack_configs", "api_url", "mattermost_webhook_url"),
    "rocketchat": Carrier("slack_configs", "api_url", "rocket_chat_webhook_url"),
    "pagerduty": Carrier("pagerduty_configs", "routing_key", "pagerduty_service_key"),
    "post": Carrier("webhook_configs", "url", "http_post_url"),
    "post2": Carrier("webhook_configs", "url", "http_post2_url"),
    "dingtalk": Carrier(
        "dingtalk_configs",
        "url",
        "dingtalk_access_token",
        "https://oapi.dingtalk.com/robot/send?access_token=ACCESS_TOKEN",
    ),
    "lark": Carrier("feishu_configs", "url", "lark_bot_id", "https://open.feishu.cn/open-apis/bot/v2/hook/BOT_ID"),
    "workwechat": Carrier(
        "wecom_configs", "url", "work_wechat_bot_id", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=BOT_ID"
    ),
    "discord": Carrier("apprise_configs", "url", "discord_webhook_url"),
    "googlechat": Carrier("apprise_configs", "url", "googlechat_webhook_url"),
    "ms_power_automate": Carrier("apprise_configs", "url", "ms_power_automate_webhook_url"),
    "telegram": Carrier("apprise_configs", "url", "telegram_bot_token", "tgram://BOT_TOKEN/{telegram_room_id}"),
    "opsgenie": Carrier("apprise_configs", "url", "opsgenie_key", "opsgenie://API_KEY"),
    "victorops": Carrier("apprise_configs", "url", "victorops_api_key", "splunk://ROUTING_KEY@API_KEY"),
    "email": Carrier("apprise_configs", "url", "email", _MAIL),
    "debug": Carrier("console_configs", ""),
}
_NO_CARRIER = {
    "alertmanager": "Faultline routes and groups by itself: see `faultline import alertmanager` for its routes",
    "ms_teams": "Microsoft has retired these connectors: add a workflow to the channel, and its address as an "
    "apprise_configs",
    "command": "let a webhook_configs start it",
}
_NO_CARRIER_AT_ALL = "see whether Apprise knows the service (https://appriseit.com), and write an apprise_configs"


class Receivers:
    """The receivers of all rules, by name."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._named: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def of(self, rule: Section) -> str:
        """The name of the receiver that tells whom the rule told; the console where none of its alerters can be."""
        channels: dict[str, list[dict[str, Any]]] = {}
        kinds: list[str] = []
        for kind, section in alerters(rule):
            for ours, channel in self._channels(kind, section):
                channels.setdefault(ours, []).append(channel)
                kinds.append(kind)
        if not channels:
            why = "none of its alerters can be carried, so it is told on the console only"
            rule.report.left(rule.spot_of("alert"), why, "give the receiver `console` a channel")
            channels, kinds = {"console_configs": [{}]}, ["console"]
        return self._name_of(channels, "-".join(dict.fromkeys(kinds)))

    def all(self) -> list[dict[str, Any]]:
        """Every receiver in our shape."""
        return [{"name": name, **channels} for name, channels in self._named.items()]

    def _name_of(self, channels: dict[str, list[dict[str, Any]]], wanted: str) -> str:
        for name, known in self._named.items():
            if known == channels:
                return name
        number, name = 1, wanted
        while name in self._named:
            number += 1
            name = f"{wanted}-{number}"
        self._named[name] = channels
        return name

    def _channels(self, kind: str, section: Section) -> Iterator[Channel]:
        carrier = ALERTERS.get(kind)
        spot = section.spot_of("alert")
        if carrier is None:
            advice = _NO_CARRIER.get(kind, _NO_CARRIER_AT_ALL)
            section.report.left(spot, f"Faultline has no channel of its own for {kind!r}", advice)
        elif not carrier.credential:
            yield carrier.ours, {}
        else:
            secrets = section.take(carrier.source, texts) or []
            if not any(secrets):
                section.report.left(spot, f"{kind} without {carrier.source}", "add the channel to the receiver by hand")
            elif carrier.holds == _MAIL:
                yield carrier.ours, self._mail(section, ",".join(secrets), section.spot_of(carrier.source))
            else:
                yield from self._each(kind, carrier, section, [secret for secret in secrets if secret])

    def _each(self, kind: str, carrier: Carrier, section: Section, secrets: list[str]) -> Iterator[Channel]:
        spot = section.spot_of(carrier.source)
        holds = composed(carrier.holds, section) if carrier.holds else self._older_key(kind, section)
        signature = self._signature(section) if kind == "dingtalk" else {}
        further = (section.take("victorops_routing_key", text) or "") if kind == "victorops" else ""
        for secret in secrets:
            if carrier.ours == "webhook_configs":
                why = "the body is Alertmanager's JSON, not that of the record"
                section.report.differs(spot, why, "let what receives it read that, see docs/receivers.md")
                if is_clear(secret):
                    yield carrier.ours, {"url": secret}
                    continue
            hint, whole = f"{kind} {carrier.credential}", f"{secret} {further} {holds}" if holds else secret
            yield carrier.ours, self._references.to(carrier.credential, whole, hint, spot, holds) | signature

    def _older_key(self, kind: str, section: Section) -> str:
        if kind != "pagerduty" or section.take("pagerduty_api_version", text) == "v2":
            return ""
        return "the key of an integration of type Events API v2"

    def _signature(self, section: Section) -> dict[str, str]:
        secret = section.take("dingtalk_sign", text)
        spot = section.spot_of("dingtalk_sign")
        return self._references.to("secret", secret, "dingtalk secret", spot) if secret else {}

    def _mail(self, section: Section, to: str, spot: Spot) -> dict[str, str]:
        tls = section.take("smtp_ssl", flag)
        port = section.take("smtp_port", text) or ("465" if tls else "")
        host = section.take("smtp_host", text) or "localhost"
        account = section.take("smtp_auth_file", text) or ""
        holds = mail_address(f"{host}:{port}" if port else host, section.take("from_addr", text) or "", to)
        return self._references.to("url", f"{holds} {account}", "email url", spot, holds)


def alerters(rule: Section) -> Iterator[tuple[str, Section]]:
    """The rule's alerters with their options: their own, and those of the rule."""
    found = rule.fields.get("alert")
    if found is None or found.value is None:
        return
    rule.report.take(found.document.file, found.steps)
    values = found.value if isinstance(found.value, list) else [found.value]
    for number, value in enumerate(values):
        steps = (*found.steps, number) if isinstance(found.value, list) else found.steps
        if isinstance(value, str):
            yield value, rule
        elif named := section_of(Field(value, found.document, steps), rule.report):
            for kind in named.fields:
                own = named.section(kind)
                yield kind, own.over(rule) if own else rule
