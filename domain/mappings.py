"""Mappings, and the claims that keep an address on one of them."""

from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import Clash
from domain.mapping_settings import MappingSettings


class Mapping(Aggregate):
    """One provider configuration with its routes. Every version of its settings is kept."""

    TOPIC = "parley.mapping.v1"

    class Created(Aggregate.Created):
        """Somebody added the mapping."""

        TOPIC = "parley.mapping.created.v1"
        settings: MappingSettings
        by: str

        def apply(self, aggregate: "Mapping") -> None:
            aggregate.settings = self.settings
            aggregate.deleted = False

    class Modified(Aggregate.Event):
        """Its settings were replaced (or it was added again after a deletion)."""

        TOPIC = "parley.mapping.modified.v1"
        settings: MappingSettings
        by: str

        def apply(self, aggregate: "Mapping") -> None:
            aggregate.settings = self.settings
            aggregate.deleted = False

    class Deleted(Aggregate.Event):
        """It takes nothing any more; late receipts are still taken."""

        TOPIC = "parley.mapping.deleted.v1"
        by: str

        def apply(self, aggregate: "Mapping") -> None:
            aggregate.deleted = True

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.settings: MappingSettings
        self.deleted: bool

    @classmethod
    def create(cls, mapping_id: UUID, settings: MappingSettings, by: str, at: datetime) -> Self:
        """Add a mapping."""
        return cls._begin(cls.Created, mapping_id, at, settings=settings, by=by)

    def modify(self, settings: MappingSettings, by: str, at: datetime) -> None:
        """Replace the settings; nothing is recorded when they are the same."""
        if self.deleted or settings != self.settings:
            self._record(self.Modified, at, settings=settings, by=by)

    def delete(self, by: str, at: datetime) -> None:
        """Take it out of use."""
        self._record(self.Deleted, at, by=by)


class Claim(Aggregate):
    """Which mapping owns one of our addresses: at most one does."""

    TOPIC = "parley.claim.v1"

    class Created(Aggregate.Created):
        """The address was claimed for the first time."""

        TOPIC = "parley.claim.created.v1"
        address: str
        mapping_code: str

        def apply(self, aggregate: "Claim") -> None:
            aggregate.address = self.address
            aggregate.owner = self.mapping_code

    class Taken(Aggregate.Event):
        """A mapping took a free address, or it was moved there."""

        TOPIC = "parley.claim.taken.v1"
        mapping_code: str

        def apply(self, aggregate: "Claim") -> None:
            aggregate.owner = self.mapping_code

    class Released(Aggregate.Event):
        """The address is free."""

        TOPIC = "parley.claim.released.v1"

        def apply(self, aggregate: "Claim") -> None:
            aggregate.owner = None

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.address: str
        self.owner: str | None

    @classmethod
    def create(cls, claim_id: UUID, address: str, mapping_code: str, at: datetime) -> Self:
        """Claim an address that no mapping has had before."""
        return cls._begin(cls.Created, claim_id, at, address=address, mapping_code=mapping_code)

    def take(self, mapping_code: str, field: str, at: datetime) -> None:
        """Claim it for a mapping. Raises Clash, naming the owner, when another has it."""
        if self.owner == mapping_code:
            return
        if self.owner is not None:
            raise Clash(
                f"{self.address} belongs to mapping {self.owner}; remove or move it there first", field
            )
        self._record(self.Taken, at, mapping_code=mapping_code)

    def move(self, mapping_code: str, at: datetime) -> None:
        """Hand it from one mapping to another."""
        self._record(self.Taken, at, mapping_code=mapping_code)

    def release(self, at: datetime) -> None:
        """Free it."""
        if self.owner is not None:
            self._record(self.Released, at)
