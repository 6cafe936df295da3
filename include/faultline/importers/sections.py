"""A source file as sections: mappings whose fields are taken one by one, each with its line, none twice unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from faultline.durations import parse_duration
from faultline.errors import ConfigurationError, Fault
from faultline.importers.report import Report, Spot, Steps
from faultline.yaml_files import line_of, parse_yaml, plain

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Document:
    """A source file, parsed."""

    file: str
    data: CommentedMap


@dataclass(frozen=True, slots=True)
class Field:
    """A value in a document, and where."""

    value: Any
    document: Document
    steps: Steps

    @property
    def spot(self) -> Spot:
        """Where it is, for a note."""
        path = ".".join(map(str, self.steps)) or "the file"
        return Spot(self.document.file, line_of(self.document.data, self.steps), path)


class Section:
    """A mapping of a source file."""

    def __init__(self, fields: Mapping[str, Field], spot: Spot, report: Report) -> None:
        self.fields = fields
        self.spot = spot
        self.report = report

    def over(self, base: Section) -> Section:
        """This section, with what only the other one has."""
        return Section({**base.fields, **self.fields}, self.spot, self.report)

    def spot_of(self, name: str) -> Spot:
        """Where the field is; the section itself for one that is not there."""
        return self.fields[name].spot if name in self.fields else self.spot

    def value(self, name: str, read: Callable[[Any], Value]) -> Value | None:
        """The field's value as ``read`` makes it, None when it is not there; ValueError when it makes no sense."""
        found = self._found(name)
        return None if found is None else read(found.value)

    def take(self, name: str, read: Callable[[Any], Value]) -> Value | None:
        """The field's value; one that makes no sense is noted, and as good as not there."""
        try:
            return self.value(name, read)
        except ValueError as error:
            self.report.left(self.spot_of(name), str(error), f"{_CORRECT}, or write it by hand")
            return None

    def sections(self, name: str) -> list[Section]:
        """The mappings of a list; what is none is noted."""
        found = self._found(name)
        if found is None:
            return []
        if not isinstance(found.value, CommentedSeq):
            self.report.left(found.spot, f"{kind_of(found.value)} where a list is expected", _CORRECT)
            return []
        items = [Field(item, found.document, (*found.steps, number)) for number, item in enumerate(found.value)]
        return [section for item in items if (section := section_of(item, self.report))]

    def section(self, name: str) -> Section | None:
        """A mapping; anything else is noted."""
        found = self._found(name)
        return section_of(found, self.report) if found else None

    def rest(self) -> Iterator[str]:
        """The fields that nobody has taken."""
        for name, field in self.fields.items():
            if not self.report.is_taken(field.document.file, field.steps):
                yield name

    def _found(self, name: str) -> Field | None:
        """The field, taken; None when it is not there or empty."""
        found = self.fields.get(name)
        if found is None:
            return None
        self.report.take(found.document.file, found.steps)
        return None if found.value is None else found


_CORRECT = "correct it and import again"


def read_section(text: str, file: str, report: Report) -> Section:
    """The mapping that a file is; ConfigurationError when it is not YAML, or no mapping."""
    data = parse_yaml(text, file)
    try:
        plain(data)
    except RecursionError:
        raise ConfigurationError([Fault(file, 1, "not YAML for us: an alias that contains itself")]) from None
    if not isinstance(data, CommentedMap):
        raise ConfigurationError([Fault(file, 1, f"{kind_of(data)} where a mapping of fields is expected")])
    section = section_of(Field(data, Document(file, data), ()), report)
    assert section is not None
    return section


def section_of(field: Field, report: Report) -> Section | None:
    """The section a field holds; anything else is noted."""
    if not isinstance(field.value, CommentedMap):
        report.left(field.spot, f"{kind_of(field.value)} where a mapping is expected", _CORRECT)
        return None
    fields = {str(key): Field(value, field.document, (*field.steps, key)) for key, value in field.value.items()}
    return Section(fields, field.spot, report)


def kind_of(value: object) -> str:
    """What a value is, without saying it."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return "a text" if isinstance(value, str) else "a number" if isinstance(value, int | float) else "a tagged value"


def text(value: object) -> str:
    """A text, or what YAML took for something else: as it reads in Go and in Elasticsearch."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not _is_whole(value):
        raise ValueError("a text with half a character in it")
    if isinstance(value, str | int | float | date):
        return str(value)
    raise ValueError(f"{kind_of(value)} where a text is expected")


def _is_whole(value: str) -> bool:
    """Whether it can be written in UTF-8; an escape in the source can be half of a pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def texts(value: object) -> list[str]:
    """A list of texts; one may stand without its list."""
    return [text(item) for item in value] if isinstance(value, list) else [text(value)]


def text_map(value: object) -> dict[str, str]:
    """A mapping of names to texts."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{kind_of(value)} where a mapping is expected")
    return {text(name): text(item) for name, item in value.items()}


def flag(value: object) -> bool:
    """True or false, also as YAML 1.1 writes them."""
    word = text(value).lower()
    if word in ("true", "yes", "on", "y"):
        return True
    if word in ("false", "no", "off", "n"):
        return False
    raise ValueError("neither true nor false")


def duration(value: object) -> str:
    """A Prometheus duration, as written."""
    written = text(value)
    parse_duration(written)
    return written


def period(value: object) -> str:
    """A Prometheus duration longer than 0, as written."""
    if not parse_duration(duration(value)):
        raise ValueError("must be longer than 0")
    return text(value)


def anything(value: Any) -> Any:
    """The value as it is."""
    return value


def written(value: object) -> Any:
    """The value without what is empty, and with every number as the text it was."""
    if isinstance(value, Mapping):
        return {text(name): written(item) for name, item in value.items() if item is not None}
    return [written(item) for item in value] if isinstance(value, list) else text(value)


def complaint(error: ValueError) -> str:
    """What is wrong with a value; of one of our models, with every field of it."""
    if not isinstance(error, ValidationError):
        return str(error)
    said = []
    for detail in error.errors():
        where = ".".join(str(step) for step in detail["loc"] if not isinstance(step, int))
        message = detail["msg"].removeprefix("Value error, ")
        said.append(f"{where}: {message}" if where else message)
    return "; ".join(said)
