"""History: every reading and its roll-ups, kept locally or read from an InfluxDB."""
