"""The peer: Spark Structured Streaming, ``availableNow``, from Kafka to Parquet in hour folders.

Runs in an environment of its own that has PySpark and nothing of Faultline. It is told the records' fields beforehand,
makes no fingerprints and proves nothing: all to its advantage. Speaks the protocol of ``benchmarks.workers``.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

FIELDS = ("@timestamp", "levelname", "appName", "environment", "source_host", "name", "message", "exc_type", "exc_info",
          "record_id")  # fmt: skip


def main(bootstrap: str, url: str, topic: str, jars: str) -> None:
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
        run(spark, bootstrap, f"{url}/{line.strip()}", topic)
        say("done")
    spark.stop()


def run(spark: SparkSession, bootstrap: str, url: str, topic: str) -> None:
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
            F.upper("record.levelname").alias("level"),
            F.col("record.appName").alias("service"),
            F.col("record.environment").alias("environment"),
            F.col("record.source_host").alias("host"),
            F.col("record.name").alias("logger"),
            F.col("record.message").alias("message"),
            F.col("record.exc_type").alias("exception_type"),
            F.col("record.exc_info").alias("stack_trace"),
            F.col("record.record_id").alias("record_id"),
            F.col("value").alias("raw"),
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


def say(word: str) -> None:
    """To the benchmark."""
    print(word, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
