"""The log on Apache Kafka, by kafka-python: the cluster's shape of what `sqlite_log` is when embedded."""
