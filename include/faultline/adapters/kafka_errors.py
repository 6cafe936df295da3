"""Which errors of Kafka are worth another try."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from faultline.errors import FaultlineError, PermanentError, TransientError

# A topic that has just been created, or a broker that has just come back, answers these until all know who leads.
NOT_READY = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
    }
)

_PERMANENT = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError._AUTHENTICATION,
        KafkaError._INVALID_ARG,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
    }
)


def faultline_error(error: KafkaException | KafkaError, doing: str) -> FaultlineError:
    """The same fault as a decision; the sentence says what was being done."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    kind = PermanentError if cause.code() in _PERMANENT else TransientError
    return kind(f"Kafka, {doing}: {cause.str()} ({cause.name()})")


def is_unknown_topic(error: KafkaException) -> bool:
    """Whether the broker says that it has no such topic."""
    return bool(error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART)
