"""librdkafka's own broker in this process, by the C library that comes with confluent-kafka: faults at will."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka
from confluent_kafka import KafkaError

PRODUCE = 0  # the request's number in Kafka's protocol
_PRODUCER = 0
_BROKER = 1


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parent
    (path,) = [*folder.with_name("confluent_kafka.libs").glob("librdkafka*.so*"), *folder.glob(".dylibs/librdkafka*")]
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class MockKafka:
    """One broker; every fault lasts until it is mended."""

    def __init__(self, library: ctypes.CDLL, cluster: ctypes.c_void_p) -> None:
        self._library = library
        self._cluster = cluster
        self.bootstrap = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()

    def down(self) -> None:
        """Refuse connections."""
        self._done(self._library.rd_kafka_mock_broker_set_down(self._cluster, _BROKER))

    def up(self) -> None:
        """Take connections again."""
        self._done(self._library.rd_kafka_mock_broker_set_up(self._cluster, _BROKER))

    def slow(self, milliseconds: int) -> None:
        """Answer so late."""
        self._done(self._library.rd_kafka_mock_broker_set_rtt(self._cluster, _BROKER, milliseconds))

    def refuse(self, *errors: int) -> None:
        """Answer the next produce requests with these errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(PRODUCE), ctypes.c_size_t(len(errors)), codes
        )

    def forbid(self, topic: str, error: int) -> None:
        """Say this of the topic whenever its metadata is asked for."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), error)

    @staticmethod
    def _done(code: int) -> None:
        assert not code, KafkaError(code)


@contextmanager
def mock_kafka() -> Iterator[MockKafka]:
    """A running broker."""
    library = _library()
    text = ctypes.create_string_buffer(512)
    client = ctypes.c_void_p(
        library.rd_kafka_new(_PRODUCER, ctypes.c_void_p(library.rd_kafka_conf_new()), text, ctypes.c_size_t(512))
    )
    assert client, text.value
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, 1))
    try:
        yield MockKafka(library, cluster)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)
