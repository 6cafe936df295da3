"""ElastAlert's rule files → our rules file: one group of rules, and a route for whoever was told of each.

A rule that cannot be carried whole is in the result as a comment: in force it would count something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from faultline.alerting.matchers import Matcher
from faultline.errors import ConfigurationError, Fault
from faultline.importers.document import Item, grouped, head, listing, part
from faultline.importers.elastalert_alerters import Receivers
from faultline.importers.elastalert_kinds import span
from faultline.importers.elastalert_left import note_rest
from faultline.importers.elastalert_rules import RuleConversion, Source
from faultline.importers.query_strings import escaped
from faultline.importers.references import References
from faultline.importers.report import NOTHING, Conversion, Report, Spot
from faultline.importers.sections import Section, read_section, texts

ReadFile = Callable[[str], str]


def convert(files: Sequence[str], read: ReadFile) -> Conversion:
    """Our rules file from ElastAlert's; ConfigurationError when none of the files can be read."""
    report = Report()
    sources: list[Source] = []
    faults: list[Fault] = []
    for file in files:
        try:
            sources.append(_source(file, read, report))
        except ConfigurationError as error:
            faults += error.faults
    if not sources:
        raise ConfigurationError(faults)
    for fault in faults:
        report.left(Spot(fault.file, fault.line, "the file"), fault.message, "correct it and import again")
    return _converted(sources, report)


def _source(file: str, read: ReadFile, report: Report, within: tuple[str, ...] = ()) -> Source:
    """A rule file over those it imports: its own fields win, then those of later imports; filters add up."""
    section = read_section(read(file), file, report)
    found = Source(section, (file,), tuple(filter(None, [section.fields.get("filter")])))
    for path in reversed(section.take("import", texts) or []):
        imported = str(PurePath(file).parent / path)
        if imported in (*within, file):
            report.left(section.spot_of("import"), "the file imports itself", "remove it and import again")
            continue
        base = _source(imported, read, report, (*within, file))
        filters = (*base.filters, *found.filters)
        found = Source(found.section.over(base.section), (*found.files, *base.files), filters)
    return found


def _converted(sources: Sequence[Source], report: Report) -> Conversion:
    names: set[str] = set()
    receivers = Receivers(References(report))
    told: dict[tuple[str, str | None], list[str]] = {}
    items: list[Item] = []
    for source in sources:
        rules = list(RuleConversion(source, names, report).rules())
        # Also for a rule that is only a comment: whoever completes it finds the way to its receiver.
        alerts = told.setdefault((receivers.of(source.section), _repeat(source.section)), [])
        alerts += [value["alert"] for value, _ in rules]
        note_rest(source.section)
        missed = ", ".join(dict.fromkeys(spot.path for spot in report.missed_of(*source.files)))
        remarks = [source.files[0], *([f"Not carried: {missed}"] if missed else [])]
        items += [Item(value, [] if number else remarks, off) for number, (value, off) in enumerate(rules)]
    carried = sum(not item.off for item in items)
    parts = [
        head(f"Imported from {len(sources)} rule files of ElastAlert"),
        grouped("groups", "elastalert", listing("rules", items)),
        part("route", _route(told)),
        listing("receivers", [Item(each) for each in receivers.all()]),
    ]
    return Conversion("\n".join(parts), report.notes(), f"{carried} of {len(items)} rules")


def _repeat(section: Section) -> str | None:
    """After what time a page that goes on is sent again."""
    realert, spot = section.take("realert", span), section.spot_of("realert")
    why = "Faultline pages once for each episode and once when it is over; ElastAlert, for each match that is due"
    section.report.differs(spot, why, "set keep_firing_for where bursts that follow each other are one episode")
    if realert in (None, "0s"):
        return None
    why = (
        "it is the repeat_interval of the rule's route: a page that goes on is sent again, a new episode pages at once"
    )
    section.report.differs(spot, why, NOTHING)
    return realert


def _route(told: Mapping[tuple[str, str | None], list[str]]) -> dict[str, Any]:
    """The first receiver is the root's; every other one, and every time of repeats, has a route of its own."""
    first = next(iter(told))
    if len(told) == 1:
        return {"receiver": first[0]} | ({"repeat_interval": first[1]} if first[1] else {})
    routes = [
        {"receiver": receiver, "matchers": [_any_of(alerts)]} | ({"repeat_interval": repeat} if repeat else {})
        for (receiver, repeat), alerts in told.items()
        if (receiver, repeat) != (first[0], None)
    ]
    return {"receiver": first[0], "routes": routes}


def _any_of(alerts: list[str]) -> str:
    if len(alerts) == 1:
        return str(Matcher("alertname", "=", alerts[0]))
    return str(Matcher("alertname", "=~", "|".join(map(escaped, alerts))))
