"""Accounts: what a mapping's provider is given, with the secrets in clear."""

from uuid import UUID

from domain.errors import NotFound, StoreUnavailable
from domain.ids import Identities
from domain.mapping_settings import MappingSettings
from domain.mappings import Claim, Mapping
from domain.ports import EventStore, Secrets
from domain.providers import Account


class Accounts:
    """Makes a mapping's account. One is made anew only when the mapping has changed."""

    def __init__(self, store: EventStore, secrets: Secrets, ids: Identities, public_url: str) -> None:
        self._store = store
        self._secrets = secrets
        self._ids = ids
        self._public_url = public_url.rstrip("/")
        self._made: dict[UUID, tuple[int, Account]] = {}
        self._known: dict[str, tuple[Mapping, Account]] = {}

    def webhook_url(self, code: str) -> str:
        """The URL to paste into the provider's console."""
        return f"{self._public_url}/ingress/rest/{code}"

    def mapping(self, code: str) -> Mapping:
        """The mapping with this code, deleted ones too: late receipts are still taken. Raises NotFound."""
        found = self._store.load({self._ids.mapping(code)}).get(self._ids.mapping(code))
        if not isinstance(found, Mapping):
            raise NotFound(f"there is no mapping {code}")
        return found

    def receiving(self, code: str) -> tuple[Mapping, Account]:
        """A mapping and its account, for what its provider sends: while the store is away, as they were last
        known, so that nothing that comes meanwhile is lost. Raises NotFound, StoreUnavailable.
        """
        try:
            mapping = self.mapping(code)
            self._known[code] = mapping, self.of(mapping)
        except StoreUnavailable:
            if code not in self._known:
                raise
        return self._known[code]

    def by_id(self, mapping_id: UUID) -> tuple[Mapping, Account]:
        """A mapping and its account. Raises NotFound."""
        found = self._store.load({mapping_id}).get(mapping_id)
        if not isinstance(found, Mapping):
            raise NotFound(f"there is no mapping {mapping_id}")
        return found, self.of(found)

    def carrying(self, our_address: str, mapping_id: UUID) -> tuple[Mapping, Account]:
        """The mapping that has our address now (it may have been moved), else this one. Raises NotFound."""
        claim_id = self._ids.claim(our_address)
        claim = self._store.load({claim_id}).get(claim_id)
        owner = claim.owner if isinstance(claim, Claim) else None
        return self.by_id(self._ids.mapping(owner) if owner else mapping_id)

    def of(self, mapping: Mapping) -> Account:
        """The account of a mapping as it is now."""
        version, account = self._made.get(mapping.id, (0, None))
        if account is None or version != mapping.version:
            account = self._make(mapping.id, mapping.settings)
            self._made[mapping.id] = (mapping.version, account)
        return account

    def _make(self, mapping_id: UUID, settings: MappingSettings) -> Account:
        secrets = {name: self._secrets.get(reference) for name, reference in settings.secrets.items()}
        return Account(
            mapping_id=mapping_id,
            code=settings.code,
            credentials={**settings.credentials, **secrets},
            options=settings.options,
            addresses=tuple(route.address for route in settings.routes),
            default_country=settings.default_country,
            webhook_url=self.webhook_url(settings.code),
            host=settings.host or "",
            port=settings.port or 0,
        )
