"""The peer: Spark Structured Streaming, ``availableNow``, from Kafka to Parquet in hour folders.

Runs in an environment of its own that has PySpark and nothing of Faultline. It is told the records' fields and the
masks of fingerprints beforehand, and proves nothing: to its advantage. Speaks the protocol of ``benchmarks.workers``.
"""

import json
import sys

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

FIELDS = ("@timestamp", "levelname", "appName", "environment", "source_host", "name", "message", "exc_type", "exc_info",
          "record_id")  # fmt: skip


def main(bootstrap: str, url: str, topic: str, jars: str, masks: str) -> None:
    """One query for each line on stdin, which names its folder."""
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", jars)
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.sql.streaming.metricsEnabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    say("ready")
    for line in sys.stdin:
        run(spark, bootstrap, f"{url}/{line.strip()}", topic, json.loads(masks))
        say("done")
    spark.stop()


def run(spark: SparkSession, bootstrap: str, url: str, topic: str, masks: list[tuple[str, str]]) -> None:
    """Everything the topic has."""
    messages = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
    )
    record = F.from_json(
        F.col("value").cast("string"), StructType([StructField(name, StringType()) for name in FIELDS])
    )
    query = (
        messages.withColumn("record", record)
        .withColumn("event", F.coalesce(F.to_timestamp("record.@timestamp"), F.col("timestamp")))
        .select(
            F.col("event").alias("timestamp"),
            F.when(F.col("record.@timestamp").isNotNull(), "record").otherwise("kafka").alias("time_source"),
            F.upper("record.levelname").alias("level"),
            F.col("record.appName").alias("service"),
            F.col("record.environment").alias("environment"),
            F.col("record.source_host").alias("host"),
            F.col("record.name").alias("logger"),
            F.col("record.message").alias("message"),
            F.col("record.exc_type").alias("exception_type"),
            F.col("record.exc_info").alias("stack_trace"),
            F.col("record.record_id").alias("record_id"),
            F.when(F.upper("record.levelname").isin("WARNING", "ERROR", "CRITICAL"), fingerprint(masks)).alias(
                "fingerprint"
            ),
            F.col("value").alias("raw"),
            F.when(F.col("record").isNull(), "not JSON").alias("parse_error"),
            F.lit(topic).alias("kafka_topic_id"),
            F.col("partition").alias("kafka_partition"),
            F.col("offset").alias("kafka_offset"),
            F.col("timestamp").alias("kafka_timestamp"),
            F.col("key").alias("kafka_key"),
            F.date_format("event", "yyyy-MM-dd").alias("dt"),
            F.date_format("event", "HH").alias("hr"),
        )
        .writeStream.format("parquet")
        .option("path", f"{url}/data")
        .option("checkpointLocation", f"{url}/checkpoint")
        .partitionBy("dt", "hr")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()


def fingerprint(masks: list[tuple[str, str]]) -> Column:
    """As ours, of exception type and message."""
    text = F.substring("record.message", 1, 1000)
    for pattern, replacement in masks:
        text = F.regexp_replace(text, pattern, replacement.replace("\\", "$"))
    whole = F.concat_ws("\n", F.coalesce(F.col("record.exc_type"), F.lit("")), text)
    return F.concat(F.lit("v1:"), F.substring(F.sha2(whole, 256), 1, 12))


def say(word: str) -> None:
    """To the benchmark."""
    print(word, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
