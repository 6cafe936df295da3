"""The providers as their documentation describes them: what each answers, and a receiver that talks to a local one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faultline.dispatch.delivery import DeliveryStatus, Receiver
from faultline.dispatch.http import LIMITS, Limits
from faultline.dispatch.receivers.apprise import AppriseReceiver
from faultline.dispatch.receivers.dingtalk import DingTalkReceiver
from faultline.dispatch.receivers.feishu import FeishuReceiver
from faultline.dispatch.receivers.pagerduty import PagerDutyReceiver
from faultline.dispatch.receivers.slack import SlackReceiver
from faultline.dispatch.receivers.wecom import WeComReceiver
from faultline.dispatch.secrets import Secret

PERMANENT, TRANSIENT = DeliveryStatus.PERMANENT, DeliveryStatus.TRANSIENT
TOKEN, SIGNING = "T0kenOfTheRobot1234", "SECsigns5678things"


def hidden(value: str) -> Secret:
    return Secret("a test", lambda: value)


@dataclass(frozen=True)
class Refusal:
    """An answer that is not a delivery: HTTP status, body, what it means, and how long to wait."""

    status: int
    body: str
    meaning: DeliveryStatus
    code: str
    wait: float | None = None


@dataclass(frozen=True)
class Provider:
    """``build`` makes its receiver for the base address of a server, which may be an https one."""

    name: str
    build: Callable[[str, Limits], Receiver]
    taken: tuple[int, str]
    refusals: tuple[Refusal, ...]
    secrets: tuple[str, ...] = (TOKEN,)
    retry_after: bool = True
    text: Callable[[dict[str, Any]], str] = field(default=json.dumps)

    def __str__(self) -> str:
        return self.name

    def receiver(self, base: str, limits: Limits = LIMITS) -> Receiver:
        return self.build(base.rstrip("/"), limits)


def _code(code: int, message: str, names: tuple[str, str] = ("errcode", "errmsg")) -> str:
    return json.dumps({names[0]: code, names[1]: message})


def _feishu(code: int, message: str) -> str:
    return json.dumps({"code": code, "data": {}, "msg": message})


SLACK = Provider(
    "slack",
    lambda base, limits: SlackReceiver("ops/slack/1", hidden(f"{base}/services/T1/B1/{TOKEN}"), limits=limits),
    (200, "ok"),
    (
        Refusal(400, "invalid_payload", PERMANENT, "400"),
        Refusal(403, "action_prohibited", PERMANENT, "403"),
        Refusal(404, "no_service", PERMANENT, "404"),
        Refusal(410, "channel_is_archived", PERMANENT, "410"),
        Refusal(500, "rollup_error", TRANSIENT, "500"),
        Refusal(200, '{"ok": false, "error": "invalid_auth"}', PERMANENT, "invalid_auth"),
    ),
    text=lambda body: body["attachments"][0]["blocks"][0]["text"]["text"],
)
DINGTALK = Provider(
    "dingtalk",
    lambda base, limits: DingTalkReceiver(
        "ops/dingtalk/1", hidden(f"{base}/robot/send?access_token={TOKEN}"), hidden(SIGNING), limits=limits
    ),
    (200, _code(0, "ok")),
    (
        Refusal(200, _code(310000, "sign not match"), PERMANENT, "310000"),
        Refusal(200, _code(300005, "token is not exist"), PERMANENT, "300005"),
        Refusal(200, _code(400102, "robot is disabled"), PERMANENT, "400102"),
        Refusal(200, _code(-1, "system busy"), TRANSIENT, "-1"),
        Refusal(200, _code(130101, "send too fast, exceed 20 times per minute"), TRANSIENT, "130101", 600),
        Refusal(200, _code(410100, "too fast"), TRANSIENT, "410100", 600),
    ),
    (TOKEN, SIGNING),
    text=lambda body: body["markdown"]["text"],
)
FEISHU = Provider(
    "feishu",
    lambda base, limits: FeishuReceiver(
        "ops/feishu/1", hidden(f"{base}/open-apis/bot/v2/hook/{TOKEN}"), hidden(SIGNING), limits=limits
    ),
    (200, '{"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}'),
    (
        Refusal(200, _feishu(19021, "sign match fail or timestamp is not within one hour"), PERMANENT, "19021"),
        Refusal(200, _feishu(19022, "Ip Not Allowed"), PERMANENT, "19022"),
        Refusal(200, _feishu(19024, "Key Words Not Found"), PERMANENT, "19024"),
        Refusal(200, _feishu(11232, "frequency limited psm[lark.oapi.app_platform_runtime]"), TRANSIENT, "11232", 60),
        Refusal(400, _feishu(9499, "too many request"), TRANSIENT, "9499", 60),
        Refusal(400, _feishu(19001, "param invalid: incoming webhook access token invalid"), PERMANENT, "19001"),
    ),
    (TOKEN, SIGNING),
    text=lambda body: body["card"]["elements"][0]["content"],
)
WECOM = Provider(
    "wecom",
    lambda base, limits: WeComReceiver(
        "ops/wecom/1", hidden(f"{base}/cgi-bin/webhook/send?key={TOKEN}"), limits=limits
    ),
    (200, _code(0, "ok")),
    (
        Refusal(200, _code(45009, "api freq out of limit"), TRANSIENT, "45009", 60),
        Refusal(200, _code(-1, "system busy"), TRANSIENT, "-1"),
        Refusal(200, _code(93000, "invalid webhook url"), PERMANENT, "93000"),
        Refusal(200, _code(40058, "markdown.content exceed max length 4096"), PERMANENT, "40058"),
    ),
    text=lambda body: body["markdown"]["content"],
)
PAGERDUTY = Provider(
    "pagerduty",
    lambda base, limits: PagerDutyReceiver("ops/pagerduty/1", hidden(TOKEN), limits=limits, url=f"{base}/v2/enqueue"),
    (202, '{"status": "success", "message": "Event processed", "dedup_key": "e1"}'),
    (
        Refusal(400, '{"status": "invalid event", "errors": ["routing_key is invalid"]}', PERMANENT, "400"),
        Refusal(200, '{"status": "invalid event"}', PERMANENT, "invalid event"),
        Refusal(403, "{}", PERMANENT, "403"),
        Refusal(500, "{}", TRANSIENT, "500"),
    ),
    text=lambda body: body["payload"]["custom_details"]["text"],
)
APPRISE = Provider(
    "apprise",
    lambda base, limits: AppriseReceiver(
        "ops/apprise/1",
        hidden(base.replace("http", "ntfy", 1).replace("://", f"://reader:{TOKEN}@") + "/topic1"),
        limits=limits,
    ),
    (200, '{"id": "x", "topic": "topic1"}'),
    (
        Refusal(404, '{"error": "page not found"}', PERMANENT, "404"),
        Refusal(401, '{"error": "unauthorized"}', PERMANENT, "401"),
        Refusal(429, '{"error": "limit reached"}', TRANSIENT, "429"),
        Refusal(503, "{}", TRANSIENT, "503"),
    ),
    retry_after=False,
    text=lambda body: body["message"],
)
PROVIDERS = (SLACK, DINGTALK, FEISHU, WECOM, PAGERDUTY, APPRISE)
