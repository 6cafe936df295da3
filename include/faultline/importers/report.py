"""What becomes of each field of a source file: carried, or a note that says why not and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Steps = tuple[str | int, ...]

NOTHING = "nothing to do"


class NoteKind(StrEnum):
    """What the reader has to know of a field."""

    LEFT = "not carried"
    DIFFERS = "differs"
    SECRET = "to be set"


@dataclass(frozen=True, slots=True)
class Spot:
    """A field of a source file, by its line and its path."""

    file: str
    line: int
    path: str


@dataclass(frozen=True, slots=True)
class Note:
    """``file:line: kind: field: why; what to do``. No value of the source is in it that could be a secret."""

    kind: NoteKind
    spot: Spot
    why: str
    do: str

    def __str__(self) -> str:
        spot = self.spot
        return f"{spot.file}:{spot.line}: {self.kind}: {spot.path}: {self.why}; {self.do}"


@dataclass(frozen=True, slots=True)
class Conversion:
    """Our rules file as text, what has to be known of it, and how much is in it, such as ``3 rules``."""

    text: str
    notes: tuple[Note, ...]
    carried: str


class Report:
    """Collects the notes of a conversion, and which fields somebody has dealt with."""

    def __init__(self) -> None:
        # What several files share is noted once.
        self._notes: dict[Note, None] = {}
        self._taken: set[tuple[str, Steps]] = set()
        self._said: set[str] = set()

    def left(self, spot: Spot, why: str, do: str) -> None:
        """The field is not in our file."""
        self._notes[Note(NoteKind.LEFT, spot, why, do)] = None

    def secret(self, spot: Spot, why: str, do: str) -> None:
        """The field is in our file by the name of where it is to be found."""
        self._notes[Note(NoteKind.SECRET, spot, why, do)] = None

    def differs(self, spot: Spot, why: str, do: str) -> None:
        """The field is in our file and means something else there; said once, where it is met first."""
        if why not in self._said:
            self._said.add(why)
            self._notes[Note(NoteKind.DIFFERS, spot, why, do)] = None

    def take(self, file: str, steps: Steps) -> None:
        """Somebody deals with this field."""
        self._taken.add((file, steps))

    def is_taken(self, file: str, steps: Steps) -> bool:
        """Whether somebody has dealt with it."""
        return (file, steps) in self._taken

    def missed_of(self, *files: str) -> list[Spot]:
        """What was not carried of these files and is missed, in the order of their lines."""
        left = (note for note in self.notes() if note.kind is NoteKind.LEFT and note.do != NOTHING)
        return list(dict.fromkeys(note.spot for note in left if note.spot.file in files))

    def notes(self) -> tuple[Note, ...]:
        """Everything noted: files in the order they were met, lines in theirs."""
        files = {file: number for number, file in enumerate(dict.fromkeys(note.spot.file for note in self._notes))}
        return tuple(sorted(self._notes, key=lambda note: (files[note.spot.file], note.spot.line)))
