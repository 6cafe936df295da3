"""Alertmanager's receivers as ours: what each kind of channel becomes, and where its credential comes from."""

from __future__ import annotations

from typing import Any

from faultline.importers.references import Carrier, References, composed, is_clear, mail_address
from faultline.importers.report import NOTHING, Spot
from faultline.importers.sections import Section, anything, flag, text

Channels = dict[str, Any]

_MAIL = "mail"
# What goes to Apprise needs one address; "mail" is put together from the server's parts.
CARRIERS = {
    "webhook_configs": Carrier("webhook_configs", "url", "url"),
    "slack_configs": Carrier("slack_configs", "api_url", "api_url"),
    "mattermost_configs": Carrier("slack_configs", "api_url", "webhook_url"),
    "pagerduty_configs": Carrier("pagerduty_configs", "routing_key", "routing_key"),
    "wechat_configs": Carrier(
        "wecom_configs",
        "url",
        holds="the address of a robot of the group: Faultline talks to robots, not to applications",
    ),
    "email_configs": Carrier("apprise_configs", "url", holds=_MAIL),
    "discord_configs": Carrier("apprise_configs", "url", "webhook_url"),
    "msteamsv2_configs": Carrier("apprise_configs", "url", "webhook_url"),
    "telegram_configs": Carrier("apprise_configs", "url", holds="tgram://BOT_TOKEN/{chat_id}"),
    "opsgenie_configs": Carrier("apprise_configs", "url", holds="opsgenie://API_KEY"),
    "pushover_configs": Carrier("apprise_configs", "url", holds="pover://USER_KEY@TOKEN"),
    "victorops_configs": Carrier("apprise_configs", "url", holds="splunk://ROUTING_KEY@API_KEY"),
}
_NO_CARRIER = {
    "msteams_configs": "Microsoft has retired these connectors: add a workflow to the channel, and its address as an "
    "apprise_configs",
    "rocketchat_configs": "add an incoming webhook in Rocket.Chat, and its address as a slack_configs",
}
_NO_CARRIER_AT_ALL = "see whether Apprise knows the service (https://appriseit.com), and write an apprise_configs"
# Fields of credentials that only say what a composed address is made of.
_SECRETS = (
    *("auth_username", "auth_password", "auth_password_file", "auth_secret", "auth_identity"),
    *("api_secret", "api_secret_file", "corp_id", "agent_id", "to_user", "to_party", "to_tag"),
    *("bot_token", "bot_token_file", "api_key", "api_key_file", "routing_key"),
    *("user_key", "user_key_file", "token", "token_file"),
)
_GLOBAL = {
    "slack_configs": "slack_api_url",
    "mattermost_configs": "mattermost_webhook_url",
}
_PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
_BOTS = "https://slack.com/api/"
# Those whose messages about the end are off in Alertmanager unless asked for.
_SILENT_ENDS = ("slack_configs", "email_configs", "wechat_configs")
_WORDS = {"title": "title", "text": "text", "message": "text"}
_AT_THE_PROVIDER = "set it at the provider, where the channel's address comes from"
_WORDING = "write `title` and `text` of the channel as Jinja2 templates, see docs/receivers.md"
_ADVICE = {
    "http_config": "credentials go into the address (https://user:password@…), a proxy into HTTPS_PROXY, certificates "
    "to trust into SSL_CERT_FILE",
    "tls_config": "certificates to trust go into SSL_CERT_FILE",
    **dict.fromkeys(("title", "text", "message", "html", "summary", "content", "headers", "pretext"), _WORDING),
    **dict.fromkeys(("fallback", "description", "details", "fields", "client", "source", "note"), _WORDING),
    **dict.fromkeys(("channel", "username", "icon_emoji", "icon_url", "avatar_url"), _AT_THE_PROVIDER),
    "severity": "PagerDuty's severity is that of the label `severity`",
    "max_alerts": NOTHING,
    "timeout": NOTHING,
}
_NO_SUCH = "see docs/receivers.md for the options there are"


def receiver_of(section: Section, defaults: Section, references: References) -> dict[str, Any] | None:
    """One receiver in our shape; None, and a note, for one without a name."""
    name = section.take("name", text)
    if not name:
        section.report.left(section.spot_of("name"), "a receiver without a name", "name it and import again")
        return None
    receiver: dict[str, Any] = {"name": name}
    for kind in [kind for kind in section.fields if kind.endswith("_configs")]:
        carrier = CARRIERS.get(kind)
        if carrier is None:
            section.take(kind, anything)
            advice = _NO_CARRIER.get(kind, _NO_CARRIER_AT_ALL)
            section.report.left(section.spot_of(kind), "Faultline has no such channel of its own", advice)
            continue
        for channel in section.sections(kind):
            hint = f"{name} {kind.removesuffix('_configs')} {carrier.credential}"
            if (ours := _Channel(kind, carrier, channel, defaults, references).converted(hint)) is not None:
                receiver.setdefault(carrier.ours, []).append(ours)
    for unknown in section.rest():
        section.report.left(section.spot_of(unknown), "no field of a receiver that Faultline knows", _NO_SUCH)
    return receiver


class _Channel:
    """One channel on its way into our file."""

    def __init__(
        self, kind: str, carrier: Carrier, section: Section, defaults: Section, references: References
    ) -> None:
        self._kind = kind
        self._carrier = carrier
        self._section = section
        self._defaults = defaults
        self._references = references
        self._report = section.report

    def converted(self, hint: str) -> Channels | None:
        """The channel in our shape; None, and a note, where nothing says how to reach it."""
        ours = self._composed(hint) if self._carrier.holds else self._reference(hint)
        if ours is None:
            fields = f"{self._carrier.source} or {self._carrier.source}_file"
            self._report.left(self._section.spot, f"no {fields}", "add the channel to the receiver by hand")
        else:
            ours |= self._words() | self._address_of_pagerduty()
        ends = self._ends()
        for name in self._section.rest():
            advice = _ADVICE.get(name, _NO_SUCH)
            self._report.left(self._section.spot_of(name), "Faultline's channel has no such option", advice)
        return None if ours is None else ours | ends

    def _reference(self, hint: str) -> Channels | None:
        """From the channel's own credential, from PagerDuty's older one, or from what is said for all channels."""
        source = self._carrier.source
        found = self._from(self._section, source, hint)
        if found is None and self._kind == "pagerduty_configs":
            found = self._from(self._section, "service_key", hint, "the key of an integration of type Events API v2")
        if found is None and (shared := _GLOBAL.get(self._kind)):
            found = self._from(self._defaults, shared, shared)
        return found

    def _from(self, section: Section, name: str, hint: str, holds: str = "") -> Channels | None:
        credential, spot = self._carrier.credential, section.spot_of(name)
        if secret := section.take(name, text):
            if "{{" in secret:
                why = "a template chose the credential by the alert"
                self._report.left(spot, why, "write a receiver for each, and a route that leads to it")
            if self._kind == "webhook_configs" and is_clear(secret):
                return {"url": secret}
            if secret.startswith(_BOTS):
                holds = "the address of an incoming webhook, for Faultline does not speak as a bot"
            return self._references.to(credential, secret, hint, spot, holds)
        if file := section.take(f"{name}_file", text):
            spot = section.spot_of(f"{name}_file")
            if holds:
                self._report.differs(spot, "what the file holds is another credential", f"put {holds} into it")
            return self._in_file(credential, file, spot)
        return None

    def _in_file(self, credential: str, file: str, spot: Spot) -> Channels:
        if not file.startswith("/"):
            why = "Alertmanager looks for the file beside its own, Faultline where it was started"
            self._report.differs(spot, why, "write the whole path")
        return {f"{credential}_file": file}

    def _composed(self, hint: str) -> Channels:
        section, holds = self._section, self._carrier.holds
        spot = next((section.spot_of(name) for name in _SECRETS if name in section.fields), section.spot)
        secrets = [section.take(name, text) or "" for name in _SECRETS]
        holds = self._mail() if holds == _MAIL else composed(holds, section)
        return self._references.to(self._carrier.credential, " ".join([holds, *secrets]), hint, spot, holds)

    def _mail(self) -> str:
        def either(name: str) -> str:
            return self._section.take(name, text) or self._defaults.take(f"smtp_{name}", text) or ""

        if self._section.take("require_tls", flag) is False:
            spot = self._section.spot_of("require_tls")
            self._report.left(spot, "mail is sent over TLS", "write mode=insecure into its address where there is none")
        return mail_address(either("smarthost"), either("from"), self._section.take("to", text) or "")

    def _words(self) -> Channels:
        """Its own words, where they are no templates of Go."""
        if self._carrier.ours == "webhook_configs":
            return {}
        fields = self._section.fields
        plain = [name for name in _WORDS if name in fields and "{" not in str(fields[name].value)]
        return {_WORDS[name]: words for name in plain if (words := self._section.take(name, text))}

    def _address_of_pagerduty(self) -> Channels:
        if self._kind != "pagerduty_configs":
            return {}
        url = self._section.take("url", text) or self._defaults.take("pagerduty_url", text) or _PAGERDUTY_URL
        if url == _PAGERDUTY_URL:
            return {}
        if is_clear(url):
            return {"url": url}
        spot = self._section.spot_of("url")
        self._report.left(spot, "the address may hold a secret", "write it as `url` if it does not")
        return {}

    def _ends(self) -> Channels:
        asked = self._section.take("send_resolved", flag)
        told = self._kind not in _SILENT_ENDS if asked is None else asked
        return {} if told else {"send_resolved": False}


def receivers_of(sections: list[Section], defaults: Section, references: References) -> dict[str, dict[str, Any]]:
    """The receivers by name; one that has the name of another is noted and left out."""
    found: dict[str, dict[str, Any]] = {}
    for section in sections:
        receiver = receiver_of(section, defaults, references)
        if receiver is None:
            continue
        if receiver["name"] in found:
            section.report.left(section.spot, "a second receiver of this name", "rename it and import again")
        else:
            found[receiver["name"]] = receiver
    return found
