"""Alembic migrations of the records database; applied by `Records.open`."""
