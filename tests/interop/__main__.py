"""A whole conversation, inbound and agent-started, for every provider with each of its counterparts.

    python -m tests.interop

One `parley up` carries them all, over HTTP and SMPP as in life. Prints a table as Markdown, which
docs/interop.md shows; ends with 1 when something that should work did not.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.programs import Parley
from tests.interop.conversation import Conversations, Row
from tests.interop.counterparts import (
    Counterpart,
    Jsmpp,
    Node,
    OpenSmpp,
    OwnSmsc,
    Simulator,
    Telnyx,
    Twilio,
    Twisted,
)
from tests.interop.desk import Desk
from tests.interop.table import lines
from tests.servers.process import temporary_folder

COUNTERPARTS: Sequence[type[Counterpart]] = (
    Twilio, Telnyx, Simulator, OwnSmsc, Jsmpp, OpenSmpp, Twisted, Node,
)  # fmt: skip


def main() -> int:
    """Hold the conversations, and print what came of them."""
    with temporary_folder() as folder, Parley(folder, "--demo") as parley, closing(Desk(parley)) as desk:
        rows = [_row(each, folder, parley, desk) for each in COUNTERPARTS]
    sys.stdout.write("\n".join(lines(rows)) + "\n")
    return int(failed(rows))


def failed(rows: Sequence[Row]) -> bool:
    """Whether something did not work that should; under CI, too, whether a counterpart was missing."""
    missing = any(row.missing for row in rows) and os.environ.get("CI") == "true"
    return missing or any(row.wrong for row in rows)


def _row(kind: type[Counterpart], folder: Path, parley: Parley, desk: Desk) -> Row:
    sys.stderr.write(f"{kind.provider} with {kind.name} ...\n")
    if missing := kind.missing():
        return Row(kind.provider, kind.name, missing=missing)
    with kind(folder, parley, desk) as far:
        return Conversations(desk, far).hold()


if __name__ == "__main__":
    sys.exit(main())
