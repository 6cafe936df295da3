"""The webhook receiver against a real HTTP server: what it sends, and what each answer means."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from faultline.dispatch import http
from faultline.dispatch.delivery import Delivery, DeliveryStatus
from faultline.dispatch.http import Limits
from faultline.dispatch.receivers.webhook import WebhookReceiver, payload
from faultline.dispatch.secrets import in_clear
from faultline.model import AlertKey, AlertState, Labels, NotificationKind
from tests.contracts.values import notification

DELIVERED, PERMANENT, TRANSIENT = DeliveryStatus.DELIVERED, DeliveryStatus.PERMANENT, DeliveryStatus.TRANSIENT


def send(server: HTTPServer, answer: Response | Callable[[Request], Response], timeout: float = 10) -> Delivery:
    handler = server.expect_request("/alerts", method="POST")
    if callable(answer) and not isinstance(answer, Response):
        handler.respond_with_handler(answer)
    else:
        handler.respond_with_response(answer)
    url = server.url_for("/alerts")
    return WebhookReceiver("ops/webhook/1", in_clear(url), Limits(pause=timedelta(seconds=timeout))).send(
        notification()
    )


def test_it_posts_what_alertmanager_would_and_the_suppressed_effects(httpserver: HTTPServer) -> None:
    assert send(httpserver, Response(status=200)) == Delivery(DELIVERED, "200")
    (request, _), *_ = httpserver.log
    body = request.get_json()
    assert request.headers["Idempotency-Key"] == body["notificationKey"] == "e1-ops-firing-1"
    assert {name: body[name] for name in ("version", "status", "receiver", "groupKey", "truncatedAlerts")} == {
        "version": "4",
        "status": "firing",
        "receiver": "ops",
        "groupKey": "e1",
        "truncatedAlerts": 0,
    }
    (alert,) = body["alerts"]
    assert alert["labels"] == {"alertname": "DbDown", "environment": "prod", "severity": "critical"}
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-22T12:00:00Z", "0001-01-01T00:00:00Z")
    assert alert["annotations"]["summary"] == "42 DB errors"
    assert alert["annotations"]["suppressed"] == "CheckoutFailed environment=prod: 7"
    assert [(effect["labels"]["alertname"], effect["count"]) for effect in body["suppressed"]] == [
        ("CheckoutFailed", 7)
    ]


def test_a_resolve_has_status_and_end() -> None:
    body = payload(notification(NotificationKind.RESOLVED))
    assert (body["status"], body["alerts"][0]["endsAt"]) == ("resolved", "2026-11-22T12:01:00Z")


def test_an_episode_whose_rule_was_removed_is_resolved_for_its_receiver() -> None:
    resolve = notification(NotificationKind.RESOLVED)
    expired = replace(resolve, alert=replace(resolve.alert, state=AlertState.EXPIRED, ends_at=None))
    assert payload(expired)["status"] == payload(expired)["alerts"][0]["status"] == "resolved"


def test_text_that_no_encoding_likes_arrives(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/alerts").respond_with_data("")
    hostile = notification(sample='half \ud83d NUL \x00 数据库 "quoted"')
    assert WebhookReceiver("w", in_clear(httpserver.url_for("/alerts"))).send(hostile).status == DELIVERED
    assert json.loads(httpserver.log[0][0].data)["alerts"][0]["annotations"]["sample"] == hostile.alert.samples[0]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (204, {}, Delivery(DELIVERED, "204")),
        (400, {}, Delivery(PERMANENT, "400", "said")),
        (404, {}, Delivery(PERMANENT, "404", "said")),
        (301, {"Location": "/elsewhere"}, Delivery(PERMANENT, "301", "said")),
        (408, {}, Delivery(TRANSIENT, "408", "said")),
        (500, {}, Delivery(TRANSIENT, "500", "said")),
        (503, {"Retry-After": "7"}, Delivery(TRANSIENT, "503", "said", timedelta(seconds=7))),
        (429, {"Retry-After": "120"}, Delivery(TRANSIENT, "429", "said", timedelta(seconds=120))),
        (429, {"Retry-After": "soon"}, Delivery(TRANSIENT, "429", "said")),
        (429, {"Retry-After": "-5"}, Delivery(TRANSIENT, "429", "said")),
        (429, {"Retry-After": "9" * 400}, Delivery(TRANSIENT, "429", "said", timedelta(seconds=10**9))),
    ],
    ids=[
        "no content",
        "bad request",
        "not found",
        "moved",
        "timeout",
        "fault",
        "busy",
        "wait",
        "soon",
        "negative",
        "huge",
    ],
)
def test_what_an_answer_means(httpserver: HTTPServer, status: int, headers: dict[str, str], expected: Delivery) -> None:
    assert send(httpserver, Response("said", status=status, headers=headers)) == expected


def test_of_a_long_answer_only_the_beginning_is_kept(httpserver: HTTPServer) -> None:
    delivery = send(httpserver, Response(b"\xff" + b"x" * 1_000_000, status=400))
    assert delivery.provider_message is not None
    assert delivery.provider_message[:2] == "\ufffdx"
    assert len(delivery.provider_message) <= 500


def test_a_server_that_is_silent_is_given_up(httpserver: HTTPServer) -> None:
    done = Event()

    def silent(_request: Request) -> Response:
        done.wait(30)
        return Response(status=200)

    delivery = send(httpserver, silent, timeout=0.1)
    done.set()
    assert (delivery.status, delivery.provider_code) == (TRANSIENT, "ReadTimeout")


def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        delivery = WebhookReceiver("w", in_clear(f"http://127.0.0.1:{unused.getsockname()[1]}/")).send(notification())
    assert (delivery.status, delivery.provider_code) == (TRANSIENT, "ConnectError")


@pytest.mark.parametrize(
    "host", ["....", "a" * 70 + ".com", "[::1"], ids=["empty parts", "long part", "half an address"]
)
def test_an_address_that_cannot_be_is_an_answer_and_not_a_crash(host: str) -> None:
    assert WebhookReceiver("w", in_clear(f"http://{host}/")).send(notification()).status == PERMANENT


def test_certificates_that_cannot_be_read_are_an_answer_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    http._tls.cache_clear()
    delivery = WebhookReceiver("w", in_clear("https://127.0.0.1:9/")).send(notification())
    monkeypatch.undo()
    http._tls.cache_clear()
    assert (delivery.status, delivery.provider_code) == (TRANSIENT, "FileNotFoundError")


def test_a_server_that_drips_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        cut = Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not cut.wait(0.05):
                    connection.sendall(b"x")

        thread = Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        delivery = WebhookReceiver("w", in_clear(url), Limits(whole=timedelta(seconds=0.3))).send(notification())
        cut.set()
        thread.join()
    assert (delivery.status, delivery.provider_message) == (TRANSIENT, "not done after 0.3 s")


@pytest.mark.parametrize(("until", "wait"), [("12:01:30", 90), ("11:00:00", 0)], ids=["ahead", "past"])
def test_a_date_to_wait_for_is_compared_with_the_servers_own_clock(until: str, wait: int) -> None:
    answer = (
        f"HTTP/1.1 429 Wait\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 {until} GMT\r\n"
    )
    assert send_to_socket(f"{answer}Content-Length: 0\r\n\r\n".encode()).retry_after == timedelta(seconds=wait)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 20", b"not HTTP\r\n\r\n"], ids=["nothing", "half a line", "not HTTP"]
)
def test_a_server_that_breaks_off_is_worth_another_try(answer: bytes) -> None:
    assert send_to_socket(answer).status == TRANSIENT


def send_to_socket(answer: bytes) -> Delivery:
    """Send to a server that reads the request, writes these bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        delivery = WebhookReceiver("w", in_clear(f"http://127.0.0.1:{server.getsockname()[1]}/")).send(notification())
        thread.join()
        return delivery


def test_a_group_is_alertmanagers_group() -> None:
    base = notification()
    over = replace(base.alert, alert=AlertKey("DbDown", Labels(environment="test")), state=AlertState.RESOLVED)
    over = replace(over, labels={"environment": "test", "severity": "critical"})
    body = payload(replace(base, alerts=(base.alert, over), group={"alertname": "DbDown"}), "https://page")
    assert (body["groupKey"], body["groupLabels"], body["status"]) == ("e1", {"alertname": "DbDown"}, "firing")
    assert [alert["status"] for alert in body["alerts"]] == ["firing", "resolved"]
    assert [alert["fingerprint"] for alert in body["alerts"]] == [base.alert.episode, over.episode]
    assert body["commonLabels"] == {"alertname": "DbDown", "severity": "critical"}
    assert body["alerts"][1]["generatorURL"].endswith(over.episode)
