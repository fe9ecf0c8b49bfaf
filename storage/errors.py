"""Faults of ours in storage.

StorageError
 +- DatabaseUnavailable   the database cannot be opened, reached or brought up to date (says what to do)
 +- DamagedRecord         bytes that were kept cannot be read back
 +- NotRecorded           a post, an inquiry or a file that was never recorded
"""


class StorageError(Exception):
    """A fault of ours. The message says what, which value, and what to do."""


class DatabaseUnavailable(StorageError):
    pass


class DamagedRecord(StorageError):
    pass


class NotRecorded(StorageError):
    pass
