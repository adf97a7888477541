"""MQTT 5: its protocol as far as we speak it, and the source and sink on it."""
