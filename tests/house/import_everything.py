"""Imports every module of the rooms named as arguments and prints, one a line, what an import must not do.

Run as a program, because an audit hook cannot be removed again. An audit hook sees every such call, also
those made inside a third-party package.
"""

import importlib
import pkgutil
import sys

FORBIDDEN = {
    "_thread.start_new_thread",
    "socket.connect",
    "socket.getaddrinfo",
    "sqlite3.connect",
    "subprocess.Popen",
}
importing = ""


def report(event: str, arguments: tuple[object, ...]) -> None:
    if event in FORBIDDEN:
        sys.stdout.write(f"{importing}: {event} {arguments}\n")


def modules(room: str) -> list[str]:
    """The room's modules, itself first; without ``__main__``, which is there to act."""
    package = importlib.import_module(room)
    found = pkgutil.walk_packages(package.__path__, f"{room}.")
    return [room, *(module.name for module in found if not module.name.endswith("__main__"))]


sys.addaudithook(report)
for room in sys.argv[1:]:
    importing = room
    for importing in modules(room):
        importlib.import_module(importing)
