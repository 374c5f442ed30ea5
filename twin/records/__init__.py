"""The records database: alarms, people, keys, audit and cursors, on SQLite or PostgreSQL.

The one door of the twin to SQLAlchemy; nothing else of the twin imports it.
"""

from twin.records.store import Records, RecordsConfigError, RecordsUnavailable, Unit

__all__ = ["Records", "RecordsConfigError", "RecordsUnavailable", "Unit"]
