"""How the tables came to be, one revision a change; applied by `storage.database.open_database`."""
