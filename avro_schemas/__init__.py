"""What an event looks like in bytes: one Avro schema file (``.avsc``) per version of an event type.

Rule: a released schema is never edited; a version is added beside it.
"""
