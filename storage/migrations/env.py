"""What alembic runs: the revisions, on the connection and in the transaction that `open_database` started."""

from __future__ import annotations

from alembic import context

from storage.database import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
