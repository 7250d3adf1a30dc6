"""The load's own journal: each webhook with its answer, each reply with what became of it; synced to disk."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any


class Journal:
    """JSON lines. What was answered is on disk before anything else is done by who was answered."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, kind: str, **entry: Any) -> float:
        """Write an entry; the moment that it carries."""
        with self._lock:
            at = time.time()
            self._file.write(json.dumps({"kind": kind, "at": at, **entry}) + "\n")
            self._file.flush()
            os.fdatasync(self._file.fileno())
        return at

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()
