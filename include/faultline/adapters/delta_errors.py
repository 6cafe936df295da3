"""Which faults of a Delta table and of the storage below it are worth another try."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError

from faultline.errors import FaultlineError, PermanentError, Superseded, TransientError

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Everything else the storage reports (connection refused, safe mode, a lost block, no space) may pass.
_PERMANENT = re.compile(
    r"AccessControlException|Permission denied|Unknown scheme|Object at location .* not found", re.IGNORECASE
)


class DeletedMeanwhile(TransientError):
    """Rows that the snapshot has were deleted by another commit: the same commit is good for a newer snapshot."""


class NoAnswer(TransientError):
    """The storage said nothing for too long; what was asked may be asked again."""


@contextmanager
def table_errors(doing: str) -> Iterator[None]:
    """Errors inside the block become decisions; the sentence says what was being done."""
    try:
        yield
    except CommitFailedError as error:
        if "Concurrent transaction" in str(error):
            raise Superseded(f"{doing}: another writer has moved the same position") from error
        kind = DeletedMeanwhile if "concurrent transaction deleted data" in str(error) else TransientError
        raise kind(f"{doing}: {_sentence(error)}") from error
    except TimeoutError as error:
        raise NoAnswer(f"{doing}: {error}") from error
    except OSError as error:
        raise _of_storage(error, doing) from error
    except pa.ArrowInvalid as error:
        if not str(error).startswith("External error"):  # so the storage's errors come out of a query
            raise
        raise _of_storage(error, doing) from error
    except DeltaError as error:
        raise PermanentError(f"{doing}: {_sentence(error)}") from error


def _of_storage(error: Exception, doing: str) -> FaultlineError:
    kind = PermanentError if _PERMANENT.search(str(error)) else TransientError
    return kind(f"{doing}: {_sentence(error)}")


def _sentence(error: Exception) -> str:
    """The error without colours, arrows and the server's own stack."""
    lines = [line.strip(" ↳") for line in _COLOURS.sub("", str(error)).split("\n\tat ")[0].splitlines()]
    return ": ".join(line for line in lines if line)
