"""What admins do: mappings, and the claims, queues and connections that they take up."""

from collections.abc import Collection
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.commands import Actor, Commands, Done
from domain.connections import Connection
from domain.errors import Clash, FieldError, Invalid, NotFound
from domain.ids import Identities
from domain.mapping_settings import MappingSettings, Status, canonical, problems
from domain.mappings import Claim, Mapping
from domain.ports import Lookups, Secrets
from domain.providers import Account, Provider
from domain.queues import SkillQueue
from domain.values import DeliveryProvider, conversations
from domain.world import World


class VersionMismatch(Clash):
    """The mapping was modified since the caller read it (HTTP 412)."""


@dataclass(frozen=True)
class MappingDraft:
    """A mapping as an admin submits it; its secrets come in clear.

    A secret that is absent from `secrets` stays as it is, None clears it, a text replaces it.
    """

    settings: MappingSettings
    secrets: MappingOf[str, str | None] = field(default_factory=dict)


class MappingAdministration:
    """The commands on mappings. Everything a command touches is saved in one transaction."""

    def __init__(
        self,
        commands: Commands,
        ids: Identities,
        secrets: Secrets,
        providers: MappingOf[str, Provider],
        lookups: Lookups,
        deliveries: Collection[DeliveryProvider],
    ) -> None:
        """`deliveries`: where this installation can deliver conversations to."""
        self._commands = commands
        self._ids = ids
        self._secrets = secrets
        self._providers = providers
        self._lookups = lookups
        self._deliveries = deliveries

    def add(self, actor: Actor, draft: MappingDraft) -> Done[int]:
        """Add a mapping; its version. Raises Invalid, Clash (code or address taken)."""
        settings = self._prepare(draft, draft.settings.secrets)

        def decide(world: World, at: datetime) -> int:
            mapping_id = self._ids.mapping(settings.code)
            world.load({mapping_id})
            mapping = world.get(Mapping, mapping_id)
            if mapping and not mapping.deleted:
                raise Clash(f"the code {settings.code} belongs to another mapping", "code")
            self._take_up(world, None, settings, at)
            if mapping:
                mapping.modify(settings, actor.login, at)
            else:
                mapping = world.add(Mapping.create(mapping_id, settings, actor.login, at))
            return mapping.version

        return self._commands.run(decide)

    def modify(self, actor: Actor, draft: MappingDraft, expected_version: int | None) -> Done[int]:
        """Replace a mapping's settings; its version.

        Raises NotFound, Invalid, VersionMismatch, Clash (address taken, a route with open conversations).
        """
        code = draft.settings.code
        current = self._current(code)
        settings = self._prepare(draft, current.settings.secrets)

        def decide(world: World, at: datetime) -> int:
            mapping = self._need(world, code, expected_version)
            if settings.kind is not mapping.settings.kind:
                raise Invalid.field("kind", f"cannot be changed; it is {mapping.settings.kind}")
            self._refuse_routes_in_use(mapping.settings, settings)
            self._take_up(world, mapping.settings, settings, at)
            mapping.modify(settings, actor.login, at)
            return mapping.version

        return self._commands.run(decide)

    def delete(self, actor: Actor, code: str, expected_version: int | None) -> Done[None]:
        """Take a mapping out of use. Raises NotFound, VersionMismatch, Clash (conversations are open)."""

        def decide(world: World, at: datetime) -> None:
            mapping = self._need(world, code, expected_version)
            count = self._lookups.open_conversations(code)
            if count:
                raise Clash(f"{conversations(count)} open on {code}; pause it until none is")
            bare = replace(mapping.settings, routes=(), connection=None)
            self._take_up(world, mapping.settings, bare, at)
            mapping.delete(actor.login, at)

        return self._commands.run(decide)

    def duplicate(self, actor: Actor, code: str, new_code: str) -> Done[int]:
        """Make a draft with everything but code, description and addresses. Raises NotFound, Clash."""
        original = self._current(code).settings
        copied = {name: self._secrets.put(self._secrets.get(ref)) for name, ref in original.secrets.items()}
        settings = replace(
            original, code=new_code, description="", status=Status.DRAFT, routes=(), secrets=copied
        )
        return self.add(actor, MappingDraft(settings))

    def move_address(self, actor: Actor, address: str, to_code: str) -> Done[None]:
        """Move a number with its route to another mapping, at once; threads survive.

        Raises NotFound, Invalid (the other mapping cannot take it).
        """

        def decide(world: World, at: datetime) -> None:
            claim_id = self._ids.claim(address)
            world.load({claim_id})
            claim = world.get(Claim, claim_id)
            if claim is None or claim.owner is None:
                raise NotFound(f"no mapping has the address {address}")
            source = self._need(world, claim.owner, None)
            target = self._need(world, to_code, None)
            if source is target:
                return
            route = source.settings.route(address)
            if route is None:
                raise NotFound(f"mapping {claim.owner} has no route {address}")
            left = replace(
                source.settings, routes=tuple(each for each in source.settings.routes if each != route)
            )
            if not left.routes and left.status is not Status.DRAFT:
                left = replace(left, status=Status.DRAFT)
            joined = replace(target.settings, routes=(*target.settings.routes, route))
            self._validate(joined, self._in_clear(joined.secrets))
            claim.move(to_code, at)
            self._use_queues(world, source.settings, left, at)
            self._use_queues(world, target.settings, joined, at)
            source.modify(left, actor.login, at)
            target.modify(joined, actor.login, at)

        return self._commands.run(decide)

    # ── shared ─────────────────────────────────────────────────────────────────────────────────

    def _current(self, code: str) -> Mapping:
        return self._commands.run(lambda world, _: self._need(world, code, None)).result

    def _need(self, world: World, code: str, expected_version: int | None) -> Mapping:
        mapping_id = self._ids.mapping(code)
        world.load({mapping_id})
        mapping = world.get(Mapping, mapping_id)
        if mapping is None or mapping.deleted:
            raise NotFound(f"there is no mapping {code}")
        if expected_version is not None and mapping.version != expected_version:
            raise VersionMismatch(f"{code} was modified meanwhile: it is at version {mapping.version}")
        return mapping

    def _prepare(self, draft: MappingDraft, kept: MappingOf[str, UUID]) -> MappingSettings:
        """Check a draft, then put its new secrets away; what has not changed keeps its reference."""
        references = {name: reference for name, reference in kept.items() if name not in draft.secrets}
        new = {name: value for name, value in draft.secrets.items() if value}
        unnamed = dict.fromkeys(new, UUID(int=0))  # nothing is kept of a draft that is refused
        settings = replace(canonical(draft.settings), secrets={**references, **unnamed})
        self._validate(settings, {**self._in_clear(references), **new})
        put = {name: self._secrets.put(value) for name, value in new.items()}
        return replace(settings, secrets={**references, **put})

    def _in_clear(self, references: MappingOf[str, UUID]) -> dict[str, str]:
        return {name: self._secrets.get(reference) for name, reference in references.items()}

    def _validate(self, settings: MappingSettings, secrets: MappingOf[str, str]) -> None:
        provider = self._providers.get(settings.provider_name)
        found = problems(settings, provider)
        if settings.status is not Status.DRAFT and settings.delivery_provider not in self._deliveries:
            message = f"no delivery to {settings.delivery_provider} is installed here: it can only be a draft"
            found.append(FieldError("delivery_provider", message))
        if provider and settings.status is not Status.DRAFT:
            account = Account(
                mapping_id=self._ids.mapping(settings.code),
                code=settings.code,
                credentials={**settings.credentials, **secrets},
                options=settings.options,
                addresses=tuple(route.address for route in settings.routes),
                default_country=settings.default_country,
                webhook_url="",
                host=settings.host or "",
                port=settings.port or 0,
            )
            named = {each.field for each in found}
            found += [each for each in provider.check(account) if each.field not in named]
        if found:
            raise Invalid(found)

    def _refuse_routes_in_use(self, old: MappingSettings, new: MappingSettings) -> None:
        for route in old.routes:
            if new.route(route.address) is None:
                count = self._lookups.open_conversations(old.code, route.address)
                if count:
                    message = f"{route.address} has {conversations(count)} open; it cannot be removed yet"
                    raise Clash(message, "routes")

    def _take_up(self, world: World, old: MappingSettings | None, new: MappingSettings, at: datetime) -> None:
        """Claim the addresses, queues and connection that the settings name; free those they no longer do."""
        self._claim(world, old, new, at)
        self._use_queues(world, old, new, at)
        self._use_connection(world, old, new, at)

    def _claim(self, world: World, old: MappingSettings | None, new: MappingSettings, at: datetime) -> None:
        before = {route.address for route in old.routes} if old else set()
        after = [route.address for route in new.routes]
        world.load(self._ids.claim(address) for address in before.union(after))
        for index, address in enumerate(after):
            claim = world.get(Claim, self._ids.claim(address))
            if claim is None:
                world.add(Claim.create(self._ids.claim(address), address, new.code, at))
            else:
                claim.take(new.code, f"routes[{index}].address", at)
        for address in before.difference(after):
            claim = world.get(Claim, self._ids.claim(address))
            if claim:
                claim.release(at)

    def _use_queues(
        self, world: World, old: MappingSettings | None, new: MappingSettings, at: datetime
    ) -> None:
        user = f"mapping {new.code}"
        before = {route.skill_queue for route in old.routes if route.skill_queue} if old else set()
        after = {route.skill_queue: index for index, route in enumerate(new.routes) if route.skill_queue}
        world.load(self._ids.queue(code) for code in before.union(after))
        for code, index in after.items():
            queue = world.get(SkillQueue, self._ids.queue(code))
            if queue is None or queue.removed:
                raise Invalid([FieldError(f"routes[{index}].skill_queue", f"there is no queue {code}")])
            queue.add_user(user, at)
        for code in before.difference(after):
            queue = world.get(SkillQueue, self._ids.queue(code))
            if queue:
                queue.remove_user(user, at)

    def _use_connection(
        self, world: World, old: MappingSettings | None, new: MappingSettings, at: datetime
    ) -> None:
        before = old.connection if old else None
        world.load(self._ids.connection(code) for code in (before, new.connection) if code)
        if new.connection:
            connection = world.get(Connection, self._ids.connection(new.connection))
            if connection is None or connection.removed:
                raise Invalid.field("connection", f"there is no connection {new.connection}")
            connection.add_user(f"mapping {new.code}", at)
        if before and before != new.connection:
            connection = world.get(Connection, self._ids.connection(before))
            if connection:
                connection.remove_user(f"mapping {new.code}", at)
