"""From the bytes of a Kafka message to the columns of a decoded record; pure."""
