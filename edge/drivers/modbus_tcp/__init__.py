"""Modbus TCP: registers and coils of meters, loggers and PLCs."""
