"""Readings from MQTT: decode -> quality -> journal commit -> acknowledge -> consumers by cursor."""
