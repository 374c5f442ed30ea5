"""Alembic's entry: migrates on the connection that `twin.records.store` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from twin.records.schema import Table

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,  # the caller's transaction holds it all
)
context.run_migrations()
