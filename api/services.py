"""What the API is given. `workers/wiring.py` builds it; nothing in this room builds anything itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import current_app

from adapters.accounts import AccountStore
from adapters.event_store.parking import Parking
from adapters.spool import SpoolFigures
from domain.accounts import Accounts
from domain.administration import MappingAdministration
from domain.attention import Attention
from domain.catalogue import Catalogue
from domain.desk import AgentDesk
from domain.ids import Identities
from domain.media_links import MediaLinks
from domain.ports import Clock, EventStore, Ingress, Media, RandomIds
from domain.presence import Presence
from domain.providers import Provider
from projections.views import Views


@dataclass(frozen=True)
class Health:
    """How one part of Parley is. What is not `vital` may fail and the process is ready all the same."""

    name: str
    ok: bool
    detail: str
    vital: bool = True


@dataclass(frozen=True)
class Services:
    """Everything a request may use."""

    clock: Clock
    random_ids: RandomIds
    ids: Identities
    store: EventStore
    ingress: Ingress
    parking: Parking  # facts that wait for a person
    views: Views
    media: Media
    links: MediaLinks  # signed links by which providers fetch media
    people: AccountStore  # users who sign in, and API keys
    accounts: Accounts  # mappings' provider accounts
    providers: Mapping[str, Provider]
    mappings: MappingAdministration
    catalogue: Catalogue
    desk: AgentDesk
    attention: Attention  # people's decisions about what waits for them
    health: Callable[[], list[Health]]
    spool: Callable[[], SpoolFigures | None]  # of the facts that wait on this disk while Kafka is away
    public_url: str
    session_key: bytes
    presence: Presence  # whose desk is open, in any process
    streams: int  # most desk streams open at once
    demo: bool  # the simulated handset and one-click sign-in, on loopback only
    # Of the demo only: who signs in with one click (login: name, roles), and the customers' numbers.
    demo_people: Mapping[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    demo_handsets: tuple[str, ...] = ()


EXTENSION = "parley"  # under which the application keeps its services


def services() -> Services:
    """The services of the application that serves this request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
