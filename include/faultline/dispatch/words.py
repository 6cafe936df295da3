"""The words that messages have for kinds and states, and how they name an alert."""

from __future__ import annotations

from collections.abc import Mapping

from faultline.dispatch.style import Language
from faultline.model import AlertKey, AlertState, NotificationKind

KIND_WORDS: Mapping[Language, Mapping[NotificationKind, str]] = {
    "en": {
        NotificationKind.FIRING: "FIRING",
        NotificationKind.UPDATE: "UPDATE",
        NotificationKind.RESOLVED: "RESOLVED",
        NotificationKind.PERSISTS: "STILL FAILING",
        NotificationKind.CORRECTION: "CORRECTION",
        NotificationKind.DIGEST: "DIGEST",
        NotificationKind.META: "FAULTLINE",
    },
    "zh": {
        NotificationKind.FIRING: "告警",
        NotificationKind.UPDATE: "更新",
        NotificationKind.RESOLVED: "已恢复",
        NotificationKind.PERSISTS: "仍未恢复",
        NotificationKind.CORRECTION: "更正",
        NotificationKind.DIGEST: "摘要",
        NotificationKind.META: "FAULTLINE",
    },
}
STATE_WORDS: Mapping[Language, Mapping[AlertState, str]] = {
    "en": {
        AlertState.SUPPRESSED: "suppressed",
        AlertState.HELD: "held",
        AlertState.RECOVERING: "recovering",
        AlertState.RESOLVED: "over",
        AlertState.FIRING: "sent before its cause was seen",
        AlertState.ACKED: "acknowledged",
    },
    "zh": {
        AlertState.SUPPRESSED: "已抑制",
        AlertState.HELD: "等待根因",
        AlertState.RECOVERING: "恢复中",
        AlertState.RESOLVED: "已恢复",
        AlertState.FIRING: "根因出现前已通知",
        AlertState.ACKED: "已确认",
    },
}


def name(alert: AlertKey) -> str:
    """The alert as ``Rule label=value label=value``."""
    return " ".join([alert.rule, *(f"{label}={value}" for label, value in alert.labels.items())])
