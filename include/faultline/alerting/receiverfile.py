"""The shape of the ``receivers:`` part of ``rules.yaml``, in Alertmanager's words where it has them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from faultline.settings import StrictModel

Name = Annotated[str, Field(min_length=1)]


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"not an http or https URL: {url!r}")
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"not a URL: {url!r}: {error}") from None
    if not named:
        raise ValueError(f"not a URL: {url!r}: no host to send to")
    return url


class ConsoleConfig(StrictModel):
    """Messages on standard output; nothing to configure."""


class WebhookConfig(StrictModel):
    """Messages by POST, in the JSON shape of Alertmanager's webhook."""

    url: Annotated[str, AfterValidator(_address)]


class ReceiverConfig(StrictModel):
    """A name for one or more ways to tell people; without any it is told nothing."""

    name: Name
    console_configs: tuple[ConsoleConfig, ...] = ()
    webhook_configs: tuple[WebhookConfig, ...] = ()
