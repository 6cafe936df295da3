"""The columns of a decoded record, as the archive keeps them and the counter reads them."""

from __future__ import annotations

import pyarrow as pa

# `timestamp` is event time; when the record has none that can be trusted it is Kafka's, and `time_source` says so.
# (`kafka_topic_id`, `kafka_partition`, `kafka_offset`) names a record once and for all, over generations of a topic.
EVENT_SCHEMA = pa.schema(
    [
        pa.field("timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("time_source", pa.string(), nullable=False),  # "record" or "kafka"
        pa.field("level", pa.string()),  # DEBUG INFO WARNING ERROR CRITICAL, or the record's own word in capitals
        pa.field("service", pa.string()),
        pa.field("environment", pa.string()),
        pa.field("host", pa.string()),
        pa.field("logger", pa.string()),
        pa.field("message", pa.string()),
        pa.field("exception_type", pa.string()),
        pa.field("stack_trace", pa.string()),
        pa.field("record_id", pa.string()),
        pa.field("fingerprint", pa.string()),  # WARNING and above
        pa.field("raw", pa.large_binary()),
        pa.field("parse_error", pa.string()),
        pa.field("kafka_topic_id", pa.string(), nullable=False),
        pa.field("kafka_partition", pa.int32(), nullable=False),
        pa.field("kafka_offset", pa.int64(), nullable=False),
        pa.field("kafka_timestamp", pa.timestamp("us", tz="UTC")),
        pa.field("kafka_key", pa.binary()),
    ]
)

# A topic's count labels ride beside the columns above while counting; the archive has them inside `raw`.
LABEL_PREFIX = "label."
