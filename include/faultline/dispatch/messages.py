"""One notification as words: a title for the glance, and a text that says what, how often, since when, and what for.

The order is that in which a person who was just woken needs things. What a provider's markup looks like is said by
the ``Markup`` passed in, how much fits by the limit; the words are in ``templates/``, one file per language.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultline.dispatch import folding
from faultline.dispatch.digest import words as digest_words
from faultline.dispatch.links import alert_url, page_url, search_command
from faultline.dispatch.markup import PLAIN, Markup
from faultline.dispatch.style import DEFAULT_STYLE, Language, Style
from faultline.dispatch.templates import TemplateFailed, render_template, template_of
from faultline.dispatch.text import cut_bytes, shorten, size
from faultline.dispatch.words import KIND_WORDS, STATE_WORDS, name
from faultline.model import AlertKey, AlertState, AlertSummary, Context, Notification

log = logging.getLogger(__name__)

# Of alerts in a group, which are not anybody's effects.
_MEMBERS: Mapping[Language, Mapping[AlertState, str]] = {
    "en": {AlertState.RESOLVED: "over", AlertState.EXPIRED: "over", AlertState.ACKED: "acknowledged"},
    "zh": {
        AlertState.FIRING: "告警中",
        AlertState.RESOLVED: "已恢复",
        AlertState.EXPIRED: "已恢复",
        AlertState.ACKED: "已确认",
    },
}
_TITLE_LENGTH, _HOST_LENGTH = 200, 60
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Message:
    """A title without markup and a text in the provider's; whatever came out of a log is harmless in both."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of what may be long is told."""

    samples: int
    sample_length: int
    effects: int


_FULL = _Detail(samples=3, sample_length=4000, effects=20)
# What is tried in turn until the text fits.
_DETAILS = (_FULL, _Detail(1, 1000, 20), _Detail(1, 300, 10), _Detail(0, 0, 3))


def render(
    notification: Notification,
    markup: Markup = PLAIN,
    style: Style = DEFAULT_STYLE,
    *,
    limit: int | None = None,
    escape_title: Callable[[str], str] = PLAIN.escape,
) -> Message:
    """The notification as a message of at most ``limit`` bytes: samples and effects are left out first, then the end.

    ``escape_title`` makes the title harmless where the provider shows it.
    """
    title = title_of(notification, style, escape_title)
    for detail in _DETAILS:
        text = _text(notification, markup, style, detail)
        if limit is None or size(text) <= limit:
            return Message(title, text)
    return Message(title, cut_bytes(text, limit or 0))


def title_of(notification: Notification, style: Style, escape: Callable[[str], str]) -> str:
    """The title of its message, made harmless by ``escape``."""
    if notification.folded:
        return _titled(notification, style, escape(folding.title(notification, style.language)))
    if notification.digest is not None:
        return _titled(notification, style, escape(digest_words.title(notification.digest, style.language)))
    if style.title is not None:
        try:
            own = render_template(style.title, _variables(notification, style, _FULL), _AS_IT_IS)
            return escape(shorten(own, _TITLE_LENGTH))
        except TemplateFailed as error:
            log.warning("the title of %s failed: %s", notification.receiver, error)
    severity = notification.alert.labels.get("severity")
    heading = (f"{severity.upper()} " if severity else "") + name(notification.alert.alert)
    return _titled(notification, style, escape(shorten(heading, _TITLE_LENGTH)))


def _titled(notification: Notification, style: Style, heading: str) -> str:
    return f"[{KIND_WORDS[style.language][notification.kind]}] {heading}"


def _text(notification: Notification, markup: Markup, style: Style, detail: _Detail) -> str:
    """What fails of a channel's own template is said; the default one still tells the rest."""
    if notification.folded:
        return _folded_text(notification, markup, style, detail)
    if notification.digest is not None:
        return _digest_text(notification, markup, style, detail)
    variables = _variables(notification, style, detail)
    if style.text is None:
        return render_template(template_of(style.language), variables, markup)
    try:
        return render_template(style.text, variables, markup)
    except TemplateFailed as error:
        failed = markup.escape(shorten(f"<template failed: {error}>", _TITLE_LENGTH))
        return failed + "\n" + render_template(template_of(style.language), variables, markup)


def _digest_text(notification: Notification, markup: Markup, style: Style, detail: _Detail) -> str:
    """A digest has templates of its own; those of the channel are for alerts."""
    assert notification.digest is not None
    told = digest_words.variables(notification.digest, entries=detail.effects, sample_length=detail.sample_length)
    variables = {**told, "ui_url": page_url(style.ui_url), "id": notification.key}
    return render_template(template_of(f"digest.{style.language}"), variables, markup)


def _folded_text(notification: Notification, markup: Markup, style: Style, detail: _Detail) -> str:
    told = folding.variables(notification, style.language, entries=detail.effects)
    variables = {**told, "ui_url": page_url(style.ui_url), "id": notification.key}
    return render_template(template_of(f"folded.{style.language}"), variables, markup)


# Of titles: they are made harmless as a whole.
_AS_IT_IS = Markup(str, str, str, lambda text, url: f"{text}: {url}")


def _variables(notification: Notification, style: Style, detail: _Detail) -> dict[str, Any]:
    """What a template sees; docs/receivers.md lists it."""
    alert, effects = notification.alert, notification.suppressed
    tree = as_tree(effects)
    shown, rest = tree[: detail.effects], [effect for _, effect in tree[detail.effects :]]
    return {
        "kind": notification.kind.value,
        "word": KIND_WORDS[style.language][notification.kind],
        "alertname": alert.alert.rule,
        "name": name(alert.alert),
        "severity": alert.labels.get("severity", ""),
        "labels": dict(alert.labels),
        "further": _further(alert.labels, alert.alert),
        "annotations": dict(alert.annotations),
        "count": alert.count,
        "records": "record" if alert.count == 1 else "records",
        "threshold": alert.threshold,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "first_seen": _unless_start(alert),
        "last_seen": alert.last_seen,
        "acked_by": alert.ack.by if alert.ack else "",
        "ack_comment": alert.ack.comment if alert.ack else "",
        "late": alert.late,
        **_context(alert, detail),
        "causes": [name(cause) for cause in alert.caused_by],
        "effects": [_effect(depth, effect, style) for depth, effect in shown],
        "alerts": [_member(each, style) for each in notification.about[: detail.effects]],
        "alert_count": len(notification.about),
        "more_alerts": len(notification.about[detail.effects :]),
        "effect_count": len(effects),
        "more_effects": len(rest),
        "more_records": sum(effect.count for effect in rest),
        "samples": [shorten(sample, detail.sample_length) for sample in alert.samples[: detail.samples]],
        "reason": notification.reason,
        "id": notification.key,
        "ui_url": alert_url(style.ui_url, notification.shown_episode),
        "search": search_command(notification),
    }


def _unless_start(alert: AlertSummary) -> object:
    """When the first record was seen, unless that says nothing new."""
    seen = alert.first_seen
    return seen if seen and seen.replace(microsecond=0) != alert.starts_at else None


def _further(labels: Mapping[str, str], alert: AlertKey) -> str:
    """The labels that neither the name nor the title says already."""
    said = {*alert.labels, "severity", "alertname"}
    return " ".join(f"{label}={value}" for label, value in labels.items() if label not in said)


def _member(alert: AlertSummary, style: Style) -> dict[str, Any]:
    return {
        "name": name(alert.alert),
        "count": alert.count,
        "starts_at": alert.starts_at,
        "state": _MEMBERS[style.language].get(alert.state, alert.state.value),
        "severity": alert.labels.get("severity", ""),
        "summary": alert.annotations.get("summary", ""),
    }


def _context(alert: AlertSummary, detail: _Detail) -> dict[str, Any]:
    """What the last hour looked like. A host that the name says already is not said again."""
    known = alert.context or Context(0, None)
    named = len(known.hosts) == 1 and known.hosts[0][0] == alert.alert.labels.get("host")
    return {
        "hour_count": known.count,
        "week_before": known.week_before,
        "kinds": [
            {"count": kind.count, "fingerprint": kind.fingerprint, "sample": shorten(kind.sample, detail.sample_length)}
            for kind in known.kinds[: detail.samples]
        ],
        "more_kinds": known.more_kinds + len(known.kinds[detail.samples :]),
        "hosts": [] if named else [(shorten(host, _HOST_LENGTH), number) for host, number in known.hosts],
        "more_hosts": known.more_hosts,
    }


def as_tree(effects: Sequence[AlertSummary]) -> list[tuple[int, AlertSummary]]:
    """The effects in the order of a tree, each with its depth: an effect of an effect comes below that.

    The cause it hangs from is the nearest that is an effect itself; the first of its causes is the root.
    """
    below: dict[AlertKey | None, list[AlertSummary]] = {}
    keys = {effect.alert for effect in effects}
    for effect in effects:
        nearest = next((cause for cause in reversed(effect.caused_by[1:]) if cause in keys - {effect.alert}), None)
        below.setdefault(nearest, []).append(effect)
    found: list[tuple[int, AlertSummary]] = []
    waiting = [(0, effect) for effect in reversed(below.pop(None, []))]
    while waiting:
        depth, effect = waiting.pop()
        found.append((depth, effect))
        waiting += [(depth + 1, each) for each in reversed(below.pop(effect.alert, []))]
    return found + [(0, effect) for rest in below.values() for effect in rest]


def _effect(depth: int, effect: AlertSummary, style: Style) -> dict[str, Any]:
    return {
        "name": name(effect.alert),
        "count": effect.count,
        "starts_at": effect.starts_at,
        "state": STATE_WORDS[style.language].get(effect.state, effect.state.value),
        "indent": "  " * min(depth, _DEEPEST),
    }
