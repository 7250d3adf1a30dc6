"""The only place that builds things: all that a process of Parley may run."""

import logging
import os
import socket
from collections.abc import Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from flask import Flask

from adapters.accounts import AccountStore
from adapters.clock import SystemClock, SystemRandomIds
from adapters.event_store.leases import StoredLeases
from adapters.event_store.media import MediaStore
from adapters.event_store.outbox import Outbox
from adapters.event_store.parking import Parking
from adapters.event_store.store import StoredAggregates
from adapters.ingress import LoggedFacts, LogIngress
from adapters.kafka.events import EventsTopic
from adapters.kafka.member import KafkaMember
from adapters.kafka.topics import events_topic, ingress_topic
from adapters.keys.customers import Keyring
from adapters.keys.periods import PeriodKeys
from adapters.keys.platform import platform_key
from adapters.keys.secrets import SecretStore
from adapters.keys.vault import Vault
from adapters.providers import providers as installed_providers
from adapters.providers.simulator import SimulatedNetwork, SimulatorProvider
from adapters.spool import SpooledLog, SpoolFigures
from api.app import create_app
from api.services import Health, Services
from database.postgres import PostgresDatabase
from domain.accounts import Accounts
from domain.administration import MappingAdministration
from domain.attention import Attention
from domain.catalogue import Catalogue
from domain.commands import Commands
from domain.desk import AgentDesk
from domain.errors import Unavailable
from domain.ids import Identities
from domain.intake import Intake
from domain.media_links import MediaLinks
from domain.ports import Clock, FactSource
from domain.presence import Presence
from domain.routing import Routing
from domain.sittings import Sittings
from domain.values import DeliveryProvider
from projections.configuration_queries import ViewLookups
from projections.registry import open_views
from workers.demo_cast import HANDSETS, PEOPLE
from workers.dispatch import Dispatch, LaneLeases
from workers.fetching import Fetching
from workers.ingest import Ingest
from workers.presence import PresenceWatch
from workers.projector import Projector
from workers.reconcile import Reconcile
from workers.relay import Relay
from workers.router import Router
from workers.sending import Sender
from workers.settings import Settings
from workers.spooling import LEASE_PREFIX, SpoolLeases
from workers.standing import Standing
from workers.storage import kafka_connection, open_storage
from workers.timers import Timers
from workers.upkeep import Upkeep
from workers.worker import HeldLease

DELIVERIES = frozenset({DeliveryProvider.SYMBEE})
"""Where conversations can be delivered to: so far, Parley's own desk."""

log = logging.getLogger(__name__)


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
        spooling: bool = True,
        deliveries: Collection[DeliveryProvider] = DELIVERIES,
    ) -> None:
        """Open what the settings name. Raises ValueError, WrongMasterKey, Unavailable.

        Without `spooling`, facts of this process do not outlive Kafka: for what would be told again.
        """
        self.settings = settings
        self.demo = demo
        self.clock = clock or SystemClock()
        self.public_url = public_url or settings.public_url or f"http://127.0.0.1:{settings.port}"
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{SystemRandomIds().new().hex[:8]}"
        self._held: list[HeldLease | LaneLeases | Standing] = []
        self._kafka: list[KafkaMember | EventsTopic] = []
        self._open_storage(spooling=spooling)
        self._build_domain(deliveries)
        self._pool = pool or ThreadPoolExecutor(settings.send_threads, thread_name_prefix="send")

    def _open_storage(self, *, spooling: bool) -> None:
        storage = self.storage = open_storage(self.settings, self.clock, spooling=spooling)
        self.vault = Vault(storage.store, storage.master, self.clock)
        self.keyring = Keyring(self.vault)
        self.period_keys = PeriodKeys(self.vault, self.clock)
        self.parking = Parking(storage.store, self.period_keys)
        self.store = StoredAggregates(storage.store, storage.recorder, self.keyring, self.parking, self.clock)
        self.leases = StoredLeases(storage.store, self.clock)
        self.secrets = SecretStore(self.vault)
        self.media = MediaStore(storage.store, self.keyring)
        self.people = AccountStore(storage.store, self.clock)
        self.views = open_views(storage.views)
        self.log = storage.log
        self.facts = LogIngress(self.log, self.period_keys)
        self._open_ingress()

    def _open_ingress(self) -> None:
        """The way in for facts that nobody would repeat: in the cluster they outlive Kafka, by the spool."""
        self.ingress = self.facts
        if self.storage.spool is not None:
            self.spool_leases = SpoolLeases(self.storage.spool, self.leases, self.clock)
            self.spooled = SpooledLog(self.log, self.storage.spool, self.spool_leases.notice)
            self.ingress = LogIngress(self.spooled, self.period_keys)

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
        self.presence = Presence(self.leases, self.desk, self.owner, self.settings.agent_grace)
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

    def ingest(self, partition: int, source: FactSource | None = None) -> Ingest:
        """The ingest worker of a partition; its facts come from `source` where one is given."""
        return Ingest(partition, source or self.facts, self.facts, self.store, self.intake)

    def join(self) -> tuple[KafkaMember, FactSource]:
        """Join the group that shares the ingress log's partitions; ourselves as a member, and our facts."""
        namespace = self.settings.namespace
        member = KafkaMember(kafka_connection(self.settings), ingress_topic(namespace), f"{namespace}.ingest")
        self._kafka.append(member)
        return member, LoggedFacts(member, self.period_keys)

    def relay(self) -> Relay:
        """The worker that copies events to Kafka."""
        database = self.storage.store
        assert isinstance(database, PostgresDatabase)  # noqa: S101 - for mypy: only the cluster has a relay
        topic = EventsTopic(kafka_connection(self.settings), events_topic(self.settings.namespace))
        self._kafka.append(topic)
        return Relay(Outbox(database, self.clock), topic, self.store, self._lease("relay"))

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

    def standing(self) -> Standing:
        """The worker that keeps providers' standing connections."""
        standing = Standing(
            self.views,
            self.store,
            self.ingress,
            self.ids,
            self.sender,
            self.leases,
            self.clock,
            self.owner,
        )
        self._held.append(standing)
        return standing

    def reconcile(self) -> Reconcile:
        """The worker that looks attempts in doubt up."""
        return Reconcile(
            self.views, self.store, self.ingress, self.intake, self.sender, self.commands, self.clock
        )

    def timers(self) -> Timers:
        """The worker that notices what falls due."""
        return Timers(self.views, self.facts, self.clock, self._lease("timers"), self._texts_wait)

    def _texts_wait(self) -> bool:
        """Whether texts were accepted that are not on the log yet, in any process."""
        return bool(self.leases.held(LEASE_PREFIX))

    def fetching(self) -> Fetching:
        """The worker that copies media in."""
        return Fetching(
            self.views, self.facts, self.accounts, self.providers, self.media, self.ids, self.clock
        )

    def upkeep(self) -> Upkeep:
        """The worker that removes what is old."""
        keep = timedelta(days=self.settings.ingress_days)
        return Upkeep(self.log, self.store, self.period_keys, self.clock, keep, self._lease("upkeep"))

    def presence_watch(self) -> PresenceWatch:
        """The worker that notices agents whose desks have gone."""
        return PresenceWatch(self.presence, self.views, self.clock, self._lease("presence"))

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
            spool=self.spool_figures,
            public_url=self.public_url,
            session_key=platform_key(self.vault, "sessions"),
            presence=self.presence,
            streams=self.settings.streams,
            demo=self.demo,
            demo_people=PEOPLE if self.demo else {},
            demo_handsets=HANDSETS if self.demo else (),
        )

    def spool_figures(self) -> SpoolFigures | None:
        """What waits on this disk; None where nothing ever does."""
        return self.spooled.figures() if self.storage.spool else None

    def close(self) -> None:
        """Let sends under way finish, give up what only one process may do, and close every file."""
        self._pool.shutdown(wait=True)
        with suppress(Unavailable):  # a lease that cannot be given up runs out
            for held in self._held:
                held.release()
        for each in self._kafka:
            each.close()
        self.sender.close()
        self.views.close()
        self.storage.close()
