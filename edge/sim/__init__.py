"""Modbus TCP servers that behave like a park's meters, loggers and air stations."""
