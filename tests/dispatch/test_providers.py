"""Every receiver against a local server that answers, or fails, as its provider does."""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from socket import create_server
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.http import LIMITS, Limits
from tests.contracts.values import notification
from tests.dispatch.providers import APPRISE, PROVIDERS, Provider, Refusal

DELIVERED, TRANSIENT = DeliveryStatus.DELIVERED, DeliveryStatus.TRANSIENT
REFUSALS = [(provider, refusal) for provider in PROVIDERS for refusal in provider.refusals]
SHORT = Limits(pause=timedelta(seconds=0.2), whole=timedelta(seconds=0.5))
every_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=str)


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test of this file does, at the loudest level of every library but the local server's."""
    caplog.set_level(logging.DEBUG)
    yield
    logged = [record.getMessage() for record in caplog.get_records("call") if record.name != "werkzeug"]
    shown = "\n".join([*logged, capfd.readouterr().out])
    assert not [secret for provider in PROVIDERS for secret in provider.secrets if secret in shown]


def send(provider: Provider, server: HTTPServer, answer: Response, limits: Limits = LIMITS) -> Delivery:
    return attempt(provider, server, lambda _request: answer, limits)


def attempt(
    provider: Provider, server: HTTPServer, handler: Callable[[Request], Response], limits: Limits = LIMITS
) -> Delivery:
    """One attempt against the server; nothing secret may be in what it came to."""
    server.expect_request(re.compile(".*"), method="POST").respond_with_handler(handler)
    return told(provider, server.url_for("/"), limits)


def told(provider: Provider, base: str, limits: Limits = LIMITS) -> Delivery:
    delivery = provider.receiver(base, limits).send(notification())
    assert not [secret for secret in provider.secrets if secret in repr(delivery)]
    return delivery


@every_provider
def test_what_the_provider_took_is_delivered(provider: Provider, httpserver: HTTPServer) -> None:
    status, body = provider.taken
    assert send(provider, httpserver, Response(body, status=status)).status == DELIVERED


@pytest.mark.parametrize(
    ("provider", "refusal"), REFUSALS, ids=[f"{one}-{refusal.code}-{refusal.status}" for one, refusal in REFUSALS]
)
def test_what_the_provider_refused_is_told_apart(provider: Provider, refusal: Refusal, httpserver: HTTPServer) -> None:
    delivery = send(provider, httpserver, Response(refusal.body, status=refusal.status))
    assert (delivery.status, delivery.provider_code) == (refusal.meaning, refusal.code)
    assert delivery.retry_after == (timedelta(seconds=refusal.wait) if refusal.wait else None)
    assert delivery.provider_message


@every_provider
def test_a_busy_provider_is_left_alone_as_long_as_it_asks(provider: Provider, httpserver: HTTPServer) -> None:
    delivery = send(provider, httpserver, Response("slow down", status=429, headers={"Retry-After": "77"}))
    assert (delivery.status, delivery.provider_code) == (TRANSIENT, "429")
    assert delivery.retry_after == (timedelta(seconds=77) if provider.retry_after else None)


@every_provider
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_provider_in_trouble_is_worth_another_try(provider: Provider, status: int, httpserver: HTTPServer) -> None:
    assert send(provider, httpserver, Response("oops", status=status)).status == TRANSIENT


@pytest.mark.parametrize("provider", [one for one in PROVIDERS if one is not APPRISE], ids=str)
def test_a_page_of_somebody_else_is_not_a_delivery(provider: Provider, httpserver: HTTPServer) -> None:
    delivery = send(provider, httpserver, Response("<html>Please log in to the network</html>", status=200))
    assert delivery.status == TRANSIENT
    assert "log in" in str(delivery.provider_message)


@every_provider
def test_a_secret_does_not_follow_a_redirect(provider: Provider, httpserver: HTTPServer) -> None:
    moved = Response("moved", status=307, headers={"Location": httpserver.url_for("/elsewhere")})
    assert send(provider, httpserver, moved).status != DELIVERED
    assert len(httpserver.log) == 1


@every_provider
def test_an_answer_that_repeats_the_secret_is_masked(provider: Provider, httpserver: HTTPServer) -> None:
    def echo(request: Request) -> Response:
        return Response(f"no: {request.url} {request.get_data(as_text=True)} {provider.secrets}", status=400)

    assert "***" in str(attempt(provider, httpserver, echo))


@every_provider
def test_a_provider_that_never_answers_is_given_up(provider: Provider, httpserver: HTTPServer) -> None:
    over = Event()

    def silent(_request: Request) -> Response:
        over.wait(30)
        return Response(status=200)

    delivery = attempt(provider, httpserver, silent, SHORT)
    over.set()
    assert delivery.status == TRANSIENT


@every_provider
def test_a_provider_that_takes_the_request_and_hangs_up_may_have_it_so_it_is_tried_again(provider: Provider) -> None:
    with hanging_up() as base:
        assert told(provider, base).status == TRANSIENT


@every_provider
def test_a_server_that_cannot_prove_who_it_is_gets_nothing(provider: Provider, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        delivery = told(provider, server.url_for("/"))
        assert delivery.status == TRANSIENT
        assert not server.log


@contextmanager
def hanging_up() -> Iterator[str]:
    """A server that reads a request and closes the connection."""
    with create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that nobody has a reason to trust, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file
