"""Templates of messages: Jinja2 in a sandbox, with every printed value made harmless for the provider on the way.

The default ones are beside this file, one for each language; a channel may have its own in the rules file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2.sandbox import SandboxedEnvironment

from faultline.alerting.templates import FAULTS, unknown_variables
from faultline.dispatch.markup import PLAIN, Markup, Safe
from faultline.dispatch.text import shorten
from faultline.durations import format_duration
from faultline.yaml_files import nearest

# What a log or a label can make as long as it likes; a sample's length is its own affair.
_VALUE_LENGTH = 400


# What a template sees; docs/receivers.md says what each is.
VARIABLES = (
    *("kind", "word", "alertname", "name", "severity", "labels", "further", "annotations", "count", "records"),
    *("threshold", "starts_at", "ends_at", "first_seen", "last_seen", "acked_by", "ack_comment"),
    *(
        "late",
        "hour_count",
        "week_before",
        "kinds",
        "more_kinds",
        "hosts",
        "more_hosts",
        "alerts",
        "alert_count",
        "more_alerts",
        "causes",
        "effects",
        "effect_count",
        "more_effects",
        "more_records",
        "samples",
        "reason",
        "id",
        "ui_url",
        "search",
    ),
)


def check_message_template(text: str) -> str:
    """The text; ValueError when it does not parse or names a variable, a function or a filter there is not."""
    if unknown := unknown_variables(_environment(PLAIN), text, VARIABLES):
        raise ValueError(f"unknown variable {unknown[0]!r} in a template{nearest(unknown[0], VARIABLES)}")
    return text


@lru_cache
def template_of(language: str) -> str:
    """The default template of a language, or of digests in one, ``digest.en``, or as ``digest.html``."""
    return files(__name__).joinpath(f"{language}.j2").read_text(encoding="utf-8")


class TemplateFailed(Exception):
    """The template cannot be rendered with this data."""


def render_template(template: str, variables: Mapping[str, Any], markup: Markup) -> str:
    """The text without its last newline; TemplateFailed when the template fails on the data."""
    try:
        text: str = _compiled(template, markup).render(variables)
    except FAULTS as error:
        raise TemplateFailed(str(error)) from error
    return text.rstrip("\n")


@lru_cache(maxsize=256)
def _compiled(template: str, markup: Markup) -> Any:
    return _environment(markup).from_string(template)


@lru_cache(maxsize=64)
def _environment(markup: Markup) -> SandboxedEnvironment:
    """A sandbox whose output is the provider's markup."""

    def finish(value: object) -> object:
        return value if isinstance(value, Safe) else markup.escape(shorten(str(value), _VALUE_LENGTH))

    environment = SandboxedEnvironment(autoescape=False, trim_blocks=True, lstrip_blocks=True, finalize=finish)
    environment.globals |= {
        "code": lambda text: Safe(markup.code(str(text))),
        "bold": lambda text: Safe(markup.bold(str(text))),
        "link": lambda text, url: Safe(markup.link(str(text), str(url))),
    }
    environment.filters |= FILTERS
    return environment


def _duration(value: timedelta) -> str:
    return format_duration(timedelta(seconds=round(value.total_seconds())))


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _moment(at: datetime, beside: datetime | None = None) -> str:
    """The time, with its date unless it is that of ``beside``."""
    return _clock(at) if beside and at.date() == beside.date() else f"{at:%Y-%m-%d %H:%M:%S}"


FILTERS = {"number": "{:,}".format, "duration": _duration, "clock": _clock, "moment": _moment}
