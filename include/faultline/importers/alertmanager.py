"""Alertmanager's configuration → our rules file: routes, inhibit rules, time intervals and receivers.

Alertmanager has no rules, so there are none in the result: they come from ``elastalert`` or are written. Where a route
or an inhibit rule cannot be carried whole it is left out: more is told then, never less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from faultline.alerting.chainfile import InhibitRule
from faultline.alerting.matchers import Matcher, parse_matchers
from faultline.alerting.timeintervals import NamedIntervals
from faultline.importers.alertmanager_receivers import receivers_of
from faultline.importers.document import Item, head, listing, part
from faultline.importers.references import References
from faultline.importers.report import NOTHING, Conversion, Report
from faultline.importers.sections import (
    Section,
    anything,
    complaint,
    duration,
    flag,
    period,
    read_section,
    text,
    text_map,
    texts,
    written,
)

# What Alertmanager does where its root route says nothing.
_DEFAULTS: Mapping[str, Any] = {"group_by": [], "group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
_WAITS: Mapping[str, Callable[[Any], str]] = {
    "group_wait": duration,
    "group_interval": duration,
    "repeat_interval": period,
}
_TOP = {
    "templates": ("they are templates of Go", "write `title` and `text` of a channel in Jinja2, see docs/receivers.md"),
    "tracing": ("it is about Alertmanager itself", NOTHING),
}
_GLOBAL = {
    "resolve_timeout": ("an episode ends when closed buckets show it", "see keep_firing_for of a rule"),
    "http_config": (
        "Faultline's channels have no such options",
        "credentials go into a channel's address, a proxy into HTTPS_PROXY, certificates to trust into SSL_CERT_FILE",
    ),
}
_UNKNOWN = ("no field that Faultline knows", "see docs/alerting.md for what there is")
_MORE_IS_TOLD = "it is left out, so more is told: correct it, or write it by hand"


def convert(source: str, file: str) -> Conversion:
    """Our rules file from Alertmanager's; ConfigurationError when it is not YAML, or no mapping."""
    report = Report()
    top = read_section(source, file, report)
    defaults = top.section("global") or Section({}, top.spot, report)
    receivers = receivers_of(top.sections("receivers"), defaults, References(report))
    intervals = _intervals(top)
    route = _Routes(top, receivers, intervals).root()
    inhibits = [rule for section in top.sections("inhibit_rules") if (rule := _inhibit(section)) is not None]
    _note_rest(top, _TOP)
    # What else is global are defaults of channels, looked up where they are used.
    for name in [name for name in defaults.rest() if name in _GLOBAL]:
        report.left(defaults.spot_of(name), *_GLOBAL[name])
    missed = [f"  line {spot.line}: {spot.path}" for spot in report.missed_of(file)]
    said = ["Not carried; why, and what to do, was said by the import:", *missed] if missed else []
    lists = {"inhibit_rules": inhibits, "time_intervals": list(intervals.values())}
    parts = [
        head(f"Imported from {file}, of Alertmanager", *said),
        listing("groups", [], ["Alertmanager has no rules: write them, or see `faultline import elastalert`."]),
        *(listing(name, [Item(each) for each in values]) for name, values in lists.items() if values),
        part("route", route),
        listing("receivers", [Item(each) for each in receivers.values()]),
    ]
    carried = f"{_count(route)} routes, {len(receivers)} receivers, {len(inhibits)} inhibit rules, "
    return Conversion("\n".join(parts), report.notes(), f"{carried}{len(intervals)} time intervals")


def _count(route: Mapping[str, Any]) -> int:
    return 1 + sum(_count(child) for child in route.get("routes", ()))


def _note_rest(section: Section, known: Mapping[str, tuple[str, str]]) -> None:
    for name in section.rest():
        section.report.left(section.spot_of(name), *known.get(name, _UNKNOWN))


def _intervals(top: Section) -> dict[str, dict[str, Any]]:
    """The time intervals by name; also those under the name they had before.

    One that cannot be read whole is left out: a part of it could mute more than it all did.
    """
    found: dict[str, dict[str, Any]] = {}
    for section in [*top.sections("time_intervals"), *top.sections("mute_time_intervals")]:
        try:
            value = {name: section.value(name, written) for name in section.fields}
            name = NamedIntervals.model_validate(value).name
        except ValueError as error:
            section.report.left(section.spot, complaint(error), "correct it and import again; nothing is muted by it")
            continue
        if name in found:
            section.report.left(section.spot, "a second one of this name", "rename it and import again")
        else:
            found[name] = value
    return found


def _inhibit(section: Section) -> dict[str, Any] | None:
    """An inhibit rule, field by field as it was: ours has the same ones."""
    read: Mapping[str, Callable[[Any], Any]] = {
        "name": text,
        **dict.fromkeys(("source_matchers", "target_matchers", "equal"), texts),
        **dict.fromkeys(("source_match", "source_match_re", "target_match", "target_match_re"), text_map),
    }
    try:
        known = [name for name in section.fields if name in read]
        rule = {name: value for name in known if (value := section.value(name, read[name]))}
        model = InhibitRule.model_validate(rule)
        _ = (model.source, model.target)
    except ValueError as error:
        section.report.left(section.spot, complaint(error), _MORE_IS_TOLD)
        return None
    _note_rest(section, {})
    why = (
        "labels that both lack are equal and nothing is suppressed along a path, as there; but whoever was paged gets "
        "the resolve, and a target that outlives its source pages only after new records"
    )
    section.report.differs(section.spot, why, "write a chain where causes have causes, see docs/alerting.md")
    return rule


class _Routes:
    """The routing tree; names that refer to nothing are made good, so that the result is a good file."""

    def __init__(
        self, top: Section, receivers: dict[str, dict[str, Any]], intervals: Mapping[str, dict[str, Any]]
    ) -> None:
        self._top = top
        self._report = top.report
        self._receivers = receivers
        self._intervals = intervals

    def root(self) -> dict[str, Any]:
        """The root route, with Alertmanager's defaults where it says nothing."""
        section = self._top.section("route")
        if section is None:
            self._report.left(self._top.spot_of("route"), "no route", "write one; until then nobody is told")
            section = Section({}, self._top.spot, self._report)
        for name in ("matchers", "match", "match_re", "continue"):
            if section.take(name, anything):
                why = "the root route matches everything, in Alertmanager too"
                self._report.left(section.spot_of(name), why, "put it into a route below")
        route = self._route(section, {})
        if "receiver" not in route:
            spot = section.spot_of("receiver")
            self._report.left(spot, "the root route has no receiver", "give the receiver `nobody` a channel")
            route["receiver"] = self._made_good("nobody")
        waits = {name: route.pop(name, default) for name, default in _DEFAULTS.items()}
        return {"receiver": route.pop("receiver"), **waits, **route}

    def _child(self, section: Section) -> dict[str, Any] | None:
        """A route below; None, and a note, when it cannot be said whom it matches."""
        try:
            matchers = _matchers(section)
        except ValueError as error:
            self._report.left(section.spot, f"{error}; its alerts go on to the routes after it", "write it by hand")
            return None
        head: dict[str, Any] = {"matchers": matchers} if matchers else {}
        if section.take("continue", flag):
            head["continue"] = True
        return self._route(section, head)

    def _route(self, section: Section, head: dict[str, Any]) -> dict[str, Any]:
        route = self._receiver(section) | head
        for name, read in _WAITS.items():
            if (value := section.take(name, read)) is not None:
                route[name] = value
        for name in ("mute_time_intervals", "active_time_intervals"):
            if names := self._names(section, name):
                route[name] = names
        if (keys := section.take("group_by", texts)) is not None:
            route["group_by"] = keys
        routes = [child for each in section.sections("routes") if (child := self._child(each)) is not None]
        if routes:
            route["routes"] = routes
        _note_rest(section, {})
        return route

    def _receiver(self, section: Section) -> dict[str, Any]:
        name = section.take("receiver", text)
        if not name:
            return {}
        if name not in self._receivers:
            spot = section.spot_of("receiver")
            self._report.left(spot, f"no receiver {name!r} there", "give the one of this name a channel; it has none")
        return {"receiver": self._made_good(name)}

    def _made_good(self, name: str) -> str:
        self._receivers.setdefault(name, {"name": name})
        return name

    def _names(self, section: Section, field: str) -> list[str]:
        """The time intervals of a route that there are: without one it tells more than it did."""
        names = section.take(field, texts) or []
        for name in names:
            if name not in self._intervals:
                self._report.left(section.spot_of(field), f"no time interval {name!r}", "write it, and name it here")
        return [name for name in names if name in self._intervals]


def _matchers(section: Section) -> list[str]:
    """All conditions of a route in today's form; ValueError when one cannot be read."""
    equal = [Matcher(name, "=", value) for name, value in (section.value("match", text_map) or {}).items()]
    like = [Matcher(name, "=~", value) for name, value in (section.value("match_re", text_map) or {}).items()]
    today = section.value("matchers", texts) or []
    for matcher in today:
        parse_matchers(matcher)
    return [*map(str, [*equal, *like]), *map(str.strip, today)]
