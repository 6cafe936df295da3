"""Credentials of a source file: never written, but named, so that the rules file says where each is to be found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from urllib.parse import quote

from pydantic import ValidationError

from faultline.alerting.receiverfile import WebhookConfig
from faultline.importers.report import Report, Spot
from faultline.importers.sections import Section, text

# What somebody's templating fills in: the name is what is wanted.
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
# Words, small numbers and versions; anything else between the slashes and dots of an address may be a secret.
_WORD = re.compile(r"(?:[a-z]{1,15}\d{0,3}|\d{1,3})(?:[-_](?:[a-z]{1,15}\d{0,3}|\d{1,3}))*")
_ADDRESS = re.compile(r"https?://([^/?#@]+)(/[^?#]*)?")


@dataclass(frozen=True, slots=True)
class Carrier:
    """How one way to tell people is written here: the list it goes to, and what its credential is called there.

    ``source`` is the field that holds the credential there. Where our credential is something else, ``holds`` says
    what: words in capitals are for the reader to fill in, ``{fields}`` are no secrets.
    """

    ours: str
    credential: str
    source: str = ""
    holds: str = ""


class References:
    """Names of environment variables, one for each credential: the same credential has the same name."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._names: dict[tuple[str, str], str] = {}

    def to(self, credential: str, secret: str, hint: str, spot: Spot, holds: str = "") -> dict[str, str]:
        """How our file says where the credential is; noted when its name is a new one."""
        templated = _VARIABLE.fullmatch(secret)
        if templated and not holds:
            return {f"{credential}_env": templated[1] or templated[2]}
        known = self._names.get((credential, secret))
        if known is None:
            known = self._names[credential, secret] = self._unused(_variable_name(hint))
            value = holds or "its value"
            self._report.secret(
                spot,
                "a credential stands in no file of ours",
                f"where messages are sent, set the environment variable {known} to {value}, or make that the password "
                f"of an Airflow Connection and write conn_id instead of {credential}_env",
            )
        return {f"{credential}_env": known}

    def _unused(self, name: str) -> str:
        taken = set(self._names.values())
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        return free


def composed(holds: str, section: Section) -> str:
    """What a variable must hold, with the fields that are no secrets filled in where the source has them."""
    names = {name for _, name, _, _ in Formatter().parse(holds) if name}
    return holds.format_map({name: _quoted(section.take(name, text)) or name.upper() for name in names})


def is_clear(url: str) -> bool:
    """Whether the address of a webhook has no part that could be a secret, and so may stand in the file."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return False
    host, _, port = found[1].partition(":")
    pieces = [*host.split("."), *(found[2] or "").strip("/").split("/")]
    if not all(_WORD.fullmatch(piece) for piece in pieces if piece) or not (port.isdecimal() or not port):
        return False
    try:
        WebhookConfig.model_validate({"url": url})
    except ValidationError:
        return False
    return True


def mail_address(smarthost: str, sender: str, to: str) -> str:
    """Apprise's address of a mail server, without user and password; a part the source does not have is in capitals."""
    host, colon, port = smarthost.rpartition(":")
    server = f"{quote(host)}:{port}" if colon and host and port.isdecimal() else quote(smarthost) or "HOST"
    words = {"from": sender or "FROM", "to": "TO" if "{" in to or not to else to.replace(" ", "")}
    query = "&".join(f"{word}={quote(value, safe='@,')}" for word, value in words.items())
    return f"mailtos://USER:PASSWORD@{server}?{query}&mode={'ssl' if port == '465' else 'starttls'}"


def _quoted(value: str | None) -> str:
    return quote(value, safe="@-") if value else ""


def _variable_name(hint: str) -> str:
    """The hint as a variable's name, with no word twice in a row."""
    words = [word for word in re.split(r"[^A-Z0-9]+", hint.upper()) if word]
    kept = [word for before, word in zip(["", *words], words, strict=False) if word != before]
    name = "_".join(kept)
    return name if name[:1].isalpha() else f"RECEIVER_{name}".rstrip("_")
