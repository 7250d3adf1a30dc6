"""The messaging providers, one file each.

Rule: a new provider is one file here, one line in the registry and one row in the contract test. The file
declares the provider's options, secrets, webhook verification, status map and limits.
"""

from importlib.metadata import entry_points

from adapters.providers.smpp import SmppProvider
from adapters.providers.telnyx import TelnyxProvider
from adapters.providers.twilio import TwilioProvider
from domain.providers import Provider

BUILT_IN: tuple[type[Provider], ...] = (TwilioProvider, TelnyxProvider, SmppProvider)
ENTRY_POINTS = "parley.providers"  # where other people's packages name theirs


def providers() -> dict[str, Provider]:
    """Every provider installed, by the name that mappings give it.

    Raises ValueError when two have one name, TypeError when an entry point is no Provider class.
    """
    found: dict[str, Provider] = {}
    for kind in (
        *BUILT_IN,
        *(_loaded(point.load(), point.name) for point in entry_points(group=ENTRY_POINTS)),
    ):
        if kind.name in found:
            raise ValueError(
                f"two providers are called {kind.name!r}: uninstall {kind.__module__}"
                f" or {type(found[kind.name]).__module__}"
            )
        found[kind.name] = kind()
    return found


def _loaded(loaded: object, name: str) -> type[Provider]:
    if not (isinstance(loaded, type) and issubclass(loaded, Provider)):
        raise TypeError(f"the entry point {name!r} in {ENTRY_POINTS} must name a class derived from Provider")
    return loaded
