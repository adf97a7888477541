"""Spark Structured Streaming: files of JSON lines in micro-batches, counted and averaged by key in windows of ten seconds. Nothing is judged."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

settings = {"spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC"}
builder = SparkSession.builder.master("local[2]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
events = spark.readStream.schema("key STRING, value BIGINT, at TIMESTAMP").option("maxFilesPerTrigger", 2).json("parts")
windows = events.withWatermark("at", "1 second").groupBy(f.window("at", "10 seconds"), "key")
counted = windows.agg(f.count("*").alias("events"), f.avg("value").alias("mean"))
found = counted.select(f.col("window.start").cast("string").alias("window"), "key", "events", "mean")
writing = found.writeStream.format("csv").option("path", "out").option("checkpointLocation", "checkpoints").outputMode("append")
writing.trigger(availableNow=True).start().awaitTermination()
