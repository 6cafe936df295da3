"""The order of severities, and the one that a root takes over from what it explains.

A warning that nobody watches must not hide a critical effect.
"""

from __future__ import annotations

from collections.abc import Sequence

from faultline.alerting.alerts import Alert

# The words of Prometheus' users, syslog, PagerDuty and Zabbix, mildest first; a word that is not here is the mildest.
_ORDER = (
    ("none", "ok"),
    ("debug",),
    ("info", "information", "informational", "notice"),
    ("warning", "warn", "minor", "low"),
    ("error", "average", "medium", "major"),
    ("critical", "high", "fatal"),
    ("page", "emergency", "disaster"),
)
_RANKS = {word: number for number, words in enumerate(_ORDER) for word in words}


def rank(severity: str) -> int:
    """How severe the word is."""
    return _RANKS.get(severity.lower(), 0)


def inherited_severity(root: Alert, effects: Sequence[Alert]) -> str | None:
    """The highest severity of what it suppresses, where that is higher than its own; it never falls again."""
    if not effects:
        return root.severity
    known = [root.labels.get("severity", ""), root.severity or ""]
    worst = max(known, key=rank)
    for effect in effects:
        severity = effect.shown.get("severity", "")
        if effect.muted and not effect.told and rank(severity) > rank(worst):
            worst = severity
    return worst if worst and worst != root.labels.get("severity", "") else root.severity
