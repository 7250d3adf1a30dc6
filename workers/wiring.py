"""The only place that builds things: all of Parley in one process, on SQLite."""

import logging
import os
import socket
from collections.abc import Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from flask import Flask

from adapters.accounts import AccountStore
from adapters.clock import SystemClock, SystemRandomIds
from adapters.event_store.database import Database
from adapters.event_store.leases import SQLiteLeases
from adapters.event_store.media import MediaStore
from adapters.event_store.parking import Parking
from adapters.event_store.recorder import migrate
from adapters.event_store.store import SQLiteEventStore
from adapters.ingress import LogIngress
from adapters.keys.customers import Keyring
from adapters.keys.master import MasterKey, load_or_create
from adapters.keys.periods import PeriodKeys
from adapters.keys.platform import platform_key
from adapters.keys.secrets import SecretStore
from adapters.keys.vault import Vault
from adapters.providers import providers as installed_providers
from adapters.providers.simulator import SimulatedNetwork, SimulatorProvider
from adapters.sqlite_log import SQLiteLog
from api.app import create_app
from api.services import Health, Services
from domain.accounts import Accounts
from domain.administration import MappingAdministration
from domain.attention import Attention
from domain.catalogue import Catalogue
from domain.commands import Commands
from domain.desk import AgentDesk
from domain.ids import Identities
from domain.intake import Intake
from domain.media_links import MediaLinks
from domain.ports import Clock
from domain.routing import Routing
from domain.sittings import Sittings
from domain.values import DeliveryProvider
from projections.configuration_queries import ViewLookups
from projections.registry import open_views
from workers.demo_cast import HANDSETS, PEOPLE
from workers.dispatch import Dispatch, LaneLeases
from workers.fetching import Fetching
from workers.ingest import Ingest
from workers.projector import Projector
from workers.reconcile import Reconcile
from workers.router import Router
from workers.sending import Sender
from workers.settings import Settings
from workers.simulation import SimulatedReceipts
from workers.timers import Timers
from workers.upkeep import Upkeep
from workers.worker import HeldLease, Worker

DELIVERIES = frozenset({DeliveryProvider.SYMBEE})
"""Where conversations can be delivered to: so far, Parley's own desk."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """The three files of the embedded shape, and the master key's."""

    ingress: Path
    store: Path
    views: Path
    master_key: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Files":
        """Where they are in a data folder."""
        return cls(folder / "ingress.db", folder / "store.db", folder / "views.db", folder / "master.key")


class Platform:
    """Everything of one process, opened. Close it when done."""

    def __init__(
        self,
        settings: Settings,
        *,
        demo: bool = False,
        public_url: str = "",
        clock: Clock | None = None,
        pool: Executor | None = None,
        deliveries: Collection[DeliveryProvider] = DELIVERIES,
    ) -> None:
        self.settings = settings
        self.demo = demo
        self.clock = clock or SystemClock()
        self.public_url = public_url or settings.public_url or f"http://127.0.0.1:{settings.port}"
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{SystemRandomIds().new().hex[:8]}"
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.files = Files.in_folder(settings.data_dir)
        self._held: list[HeldLease | LaneLeases] = []
        self._open_storage()
        self._build_domain(deliveries)
        self._pool = pool or ThreadPoolExecutor(settings.send_threads, thread_name_prefix="send")

    def _open_storage(self) -> None:
        key = self.settings.master_key
        master = MasterKey.from_text(key.get_secret_value()) if key else load_or_create(self.files.master_key)
        migrate(self.files.store)
        self.database = Database(self.files.store)
        self.vault = Vault(self.database, master, self.clock)
        self.keyring = Keyring(self.vault)
        self.period_keys = PeriodKeys(self.vault, self.clock)
        self.parking = Parking(self.database, self.period_keys)
        self.store = SQLiteEventStore(self.database, self.keyring, self.parking, self.clock)
        self.leases = SQLiteLeases(self.database, self.clock)
        self.secrets = SecretStore(self.vault)
        self.media = MediaStore(self.database, self.keyring)
        self.people = AccountStore(self.database, self.clock)
        self.log = SQLiteLog(self.files.ingress, "ingress", self.settings.partitions, self.clock)
        self.ingress = LogIngress(self.log, self.period_keys)
        self.views = open_views(self.files.views)

    def _build_domain(self, deliveries: Collection[DeliveryProvider]) -> None:
        self.ids = Identities(platform_key(self.vault, "identities"))
        self.network = SimulatedNetwork(self.clock)
        self.providers = dict(installed_providers())
        if self.demo:
            self.providers[SimulatorProvider.name] = SimulatorProvider(self.network, self.ids)
        self.sittings = Sittings(self.ids, self.providers)
        self.intake = Intake(self.ids, self.sittings)
        self.commands = Commands(self.store, self.clock)
        self.desk = AgentDesk(self.commands, self.sittings)
        self.attention = Attention(self.commands, self.sittings, self.intake)
        self.routing = Routing(self.commands, self.sittings)
        lookups = ViewLookups(self.views)
        self.mappings = MappingAdministration(
            self.commands, self.ids, self.secrets, self.providers, lookups, deliveries
        )
        self.catalogue = Catalogue(self.commands, self.ids, lookups, self.keyring)
        url = self.public_url
        self.accounts = Accounts(self.store, self.secrets, self.ids, url)
        self.links = MediaLinks(platform_key(self.vault, "media-links"), url)
        self.sender = Sender(self.accounts, self.providers, self.links, self.clock)

    # ── workers ────────────────────────────────────────────────────────────────────────────────

    def ingest(self, partition: int) -> Ingest:
        """The ingest worker of a partition."""
        return Ingest(partition, self.ingress, self.store, self.intake)

    def projector(self) -> Projector:
        """The worker that fills the views."""
        return Projector(self.views, self.store)

    def router(self) -> Router:
        """The worker that matches conversations with agents."""
        return Router(self.views, self.store, self.routing, self.ids, self.clock, self._lease("router"))

    def dispatch(self) -> Dispatch:
        """The worker that sends."""
        leases = LaneLeases(self.leases, self.clock, self.owner)
        self._held.append(leases)
        return Dispatch(
            self.views,
            self.store,
            self.ingress,
            self.clock,
            self.sender,
            self.sittings,
            leases,
            self._pool,
        )

    def reconcile(self) -> Reconcile:
        """The worker that looks attempts in doubt up."""
        return Reconcile(
            self.views, self.store, self.ingress, self.intake, self.sender, self.commands, self.clock
        )

    def timers(self) -> Timers:
        """The worker that notices what falls due."""
        return Timers(self.views, self.ingress, self.clock, self._lease("timers"))

    def fetching(self) -> Fetching:
        """The worker that copies media in."""
        return Fetching(
            self.views, self.ingress, self.accounts, self.providers, self.media, self.ids, self.clock
        )

    def upkeep(self) -> Upkeep:
        """The worker that removes what is old."""
        keep = timedelta(days=self.settings.ingress_days)
        return Upkeep(self.log, self.store, self.period_keys, self.clock, keep, self._lease("upkeep"))

    def makers(self) -> list[Callable[[], Worker]]:
        """How to make each of the process's workers."""
        partitions = range(self.settings.partitions)
        makers: list[Callable[[], Worker]] = [partial(self.ingest, each) for each in partitions]
        makers += [self.projector, self.router, self.dispatch, self.reconcile, self.timers]
        makers += [self.fetching, self.upkeep]
        if self.demo:
            makers.append(lambda: SimulatedReceipts(self.network, self.ingress))
        return makers

    def _lease(self, name: str) -> HeldLease:
        held = HeldLease(self.leases, self.clock, name, self.owner)
        self._held.append(held)
        return held

    # ── the API ────────────────────────────────────────────────────────────────────────────────

    def app(self, health: Callable[[], list[Health]]) -> Flask:
        """The web application over this platform."""
        return create_app(self.services(health))

    def services(self, health: Callable[[], list[Health]]) -> Services:
        """What the web application is given."""
        return Services(
            clock=self.clock,
            random_ids=SystemRandomIds(),
            ids=self.ids,
            store=self.store,
            ingress=self.ingress,
            views=self.views,
            media=self.media,
            people=self.people,
            accounts=self.accounts,
            providers=self.providers,
            mappings=self.mappings,
            catalogue=self.catalogue,
            desk=self.desk,
            attention=self.attention,
            parking=self.parking,
            links=self.links,
            health=health,
            public_url=self.public_url,
            session_key=platform_key(self.vault, "sessions"),
            grace=self.settings.agent_grace,
            streams=self.settings.streams,
            demo=self.demo,
            demo_people=PEOPLE if self.demo else {},
            demo_handsets=HANDSETS if self.demo else (),
        )

    def close(self) -> None:
        """Let sends under way finish, give up what only one process may do, and close every file."""
        self._pool.shutdown(wait=True)
        for held in self._held:
            held.release()
        self.sender.close()
        self.log.close()
        self.views.close()
        self.database.close()
