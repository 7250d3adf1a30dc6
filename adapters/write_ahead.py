"""Write-ahead logging for SQLite files that several processes may make at once."""

import sqlite3
import time

_LOOK_AGAIN = 0.01  # seconds


def use_write_ahead_log(connection: sqlite3.Connection, patience: float) -> None:
    """Switch the file to write-ahead logging, trying for so many seconds.

    SQLite's busy timeout does not cover this statement: while another process is switching the same new
    file it fails at once. Raises sqlite3.OperationalError when patience is over.
    """
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(_LOOK_AGAIN)
        else:
            return
