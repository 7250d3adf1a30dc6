"""Standing connections: those by which a provider speaks to us (SMPP binds), each kept by one process."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from domain.ids import Identities
from domain.mapping_settings import Status
from domain.mappings import Mapping
from domain.ports import Clock, EventStore, Ingress, Leases
from domain.providers import Carrier
from projections.configuration_queries import ConfigurationQueries
from projections.views import Views
from workers.sending import Sender
from workers.worker import HeldLease


@dataclass
class _Connection:
    """One that a mapping wants, and the right to keep it."""

    lease: HeldLease
    carrier: Carrier
    number: int

    def give_up(self) -> None:
        # First the connection, then the right to it: a provider may refuse a second one.
        self.carrier.disconnect(self.number)
        self.lease.release()


class Standing:
    """Keeps those connections of active and paused mappings that no other process keeps."""

    name = "standing"
    pace = 0.5

    def __init__(
        self,
        views: Views,
        store: EventStore,
        ingress: Ingress,
        ids: Identities,
        sender: Sender,
        leases: Leases,
        clock: Clock,
        owner: str,
    ) -> None:
        self._views = views
        self._configuration = ConfigurationQueries(views)
        self._store = store
        self._ingress = ingress
        self._ids = ids
        self._sender = sender
        self._leases = leases
        self._clock = clock
        self._owner = owner
        self._connections: dict[str, _Connection] = {}

    def step(self) -> bool:
        """Take up what is wanted and free, give up what is not wanted any more or has been lost."""
        wanted = self._wanted()
        self._give_up(self._connections.keys() - wanted.keys())
        for name, (carrier, number) in wanted.items():
            connection = self._connections.setdefault(name, self._new(name, carrier, number))
            connection.carrier = carrier  # another one when the mapping's account has changed
            if connection.lease.get() is None:
                carrier.disconnect(number)
            else:
                carrier.connect(number, self._ids, self._ingress.accept)
        return False

    def wait(self, timeout: float) -> None:
        self._views.wait(timeout)

    def release(self) -> None:
        """Give every connection up."""
        self._give_up(self._connections.keys())

    def _give_up(self, names: Collection[str]) -> None:
        # All at once: taking leave of a far end that does not answer takes its time.
        leaving = [self._connections.pop(name) for name in list(names)]
        with ThreadPoolExecutor(max(1, len(leaving))) as pool:
            list(pool.map(_Connection.give_up, leaving))

    def _new(self, name: str, carrier: Carrier, number: int) -> _Connection:
        return _Connection(HeldLease(self._leases, self._clock, name, self._owner), carrier, number)

    def _wanted(self) -> dict[str, tuple[Carrier, int]]:
        """The connections that there should be, by the names of their leases."""
        carriers = {each.settings.code: self._sender.line_of(each).carrier for each in self._mappings()}
        return {
            f"standing:{code}:{number}": (carrier, number)
            for code, carrier in carriers.items()
            for number in range(carrier.standing)
        }

    def _mappings(self) -> list[Mapping]:
        """Those that are in use and whose provider keeps connections."""
        routes = self._configuration.routes()
        in_use = {self._ids.mapping(each.mapping_code) for each in routes if each.status is not Status.DRAFT}
        return [each for each in self._load(in_use) if self._sender.keeps_connections(each)]

    def _load(self, ids: set[UUID]) -> list[Mapping]:
        found = self._store.load(ids).values() if ids else ()
        return [each for each in found if isinstance(each, Mapping) and not each.deleted]
