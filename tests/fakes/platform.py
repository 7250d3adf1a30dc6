"""Parley without its workers: what the API needs, on real files, with a clock of the test's own."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from argon2 import PasswordHasher

from adapters.accounts import AccountStore
from adapters.clock import SystemRandomIds
from adapters.event_store.leases import StoredLeases
from adapters.event_store.media import MediaStore
from adapters.event_store.parking import Parking
from adapters.event_store.sqlite_recorder import SQLiteRecorder
from adapters.event_store.store import StoredAggregates
from adapters.ingress import LogIngress
from adapters.keys.customers import Keyring
from adapters.keys.master import MasterKey
from adapters.keys.periods import PeriodKeys
from adapters.keys.secrets import SecretStore
from adapters.keys.vault import Vault
from adapters.providers.twilio import TwilioProvider
from adapters.sqlite_log import SQLiteLog
from api.services import Health, Services
from database.sqlite import SQLiteDatabase
from domain.accounts import Accounts
from domain.administration import MappingAdministration
from domain.attention import Attention
from domain.catalogue import Catalogue
from domain.commands import Commands
from domain.desk import AgentDesk
from domain.ids import Identities
from domain.intake import Intake
from domain.media_links import MediaLinks
from domain.presence import Presence
from domain.providers import Provider
from domain.sittings import Sittings
from domain.values import DeliveryProvider
from projections.registry import migrate_views, open_views

PUBLIC_URL = "https://sms.example.com"
BATCH = 500
GRACE = timedelta(seconds=60)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def move(self, by: timedelta) -> None:
        self.time += by


@dataclass
class Counts:
    """The port `Lookups`, saying what the test wants."""

    open: Counter[str] = field(default_factory=Counter)
    open_with: Counter[UUID] = field(default_factory=Counter)  # by customer
    waiting: Counter[str] = field(default_factory=Counter)

    def open_conversations(self, mapping_code: str, our_address: str | None = None) -> int:
        return self.open[our_address or mapping_code]

    def open_with_customer(self, customer_id: UUID) -> int:
        return self.open_with[customer_id]

    def waiting_in(self, queue: str) -> int:
        return self.waiting[queue]


class Platform:
    """One process' parts. `catch_up` shows the views what was saved."""

    def __init__(self, folder: Path, public_url: str = PUBLIC_URL) -> None:
        self.clock = Clock()
        self.counts = Counts()
        self.parts = [Health("ingest", ok=True, detail="running")]
        self.database = SQLiteDatabase(folder / "store.db")
        recorder = SQLiteRecorder(self.database)
        recorder.create_tables()
        vault = Vault(self.database, MasterKey(bytes(range(32))), self.clock)
        keyring = Keyring(vault)
        self.periods = PeriodKeys(vault, self.clock)
        self.parking = Parking(self.database, self.periods)
        self.store = StoredAggregates(self.database, recorder, keyring, self.parking, self.clock)
        self.log = SQLiteLog(folder / "ingress.db", "ingress", 2, self.clock)
        views = SQLiteDatabase(folder / "views.db", durable=False)
        migrate_views(views)
        self.views = open_views(views)
        self.leases = StoredLeases(self.database, self.clock)
        self.services = self._services(public_url, keyring, SecretStore(vault))

    def _services(self, url: str, keyring: Keyring, secrets: SecretStore) -> Services:
        ids = Identities(bytes(32))
        providers: dict[str, Provider] = {"twilio": TwilioProvider()}
        commands = Commands(self.store, self.clock)
        sittings = Sittings(ids, providers)
        desk = AgentDesk(commands, sittings)
        return Services(
            clock=self.clock,
            random_ids=SystemRandomIds(),
            ids=ids,
            store=self.store,
            ingress=LogIngress(self.log, self.periods),
            parking=self.parking,
            views=self.views,
            media=MediaStore(self.database, keyring),
            links=MediaLinks(bytes(32), url),
            # The least that Argon2 can do: its real cost has a test of its own.
            people=AccountStore(self.database, self.clock, PasswordHasher(1, 8, 1)),
            accounts=Accounts(self.store, secrets, ids, url),
            providers=providers,
            mappings=MappingAdministration(
                commands, ids, secrets, providers, self.counts, frozenset(DeliveryProvider)
            ),
            catalogue=Catalogue(commands, ids, self.counts, keyring),
            desk=desk,
            attention=Attention(commands, sittings, Intake(ids, sittings)),
            health=lambda: self.parts,
            spool=lambda: None,
            public_url=url,
            session_key=bytes(32),
            presence=Presence(self.leases, desk, "here", GRACE),
            streams=4,
            demo=False,
        )

    def catch_up(self) -> None:
        """Let every projection see everything."""
        while recorded := self.store.read(min(self.views.positions().values()), BATCH):
            self.views.apply(self.views.projections, recorded)

    def close(self) -> None:
        self.log.close()
        self.views.close()
        self.database.close()
