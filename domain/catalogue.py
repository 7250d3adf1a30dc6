"""What admins keep lists of: queues, agents, connections, work codes, canned replies; and forgetting."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from domain.agents import Agent, AgentSettings
from domain.canned_replies import CannedReply
from domain.commands import Actor, Commands, Done
from domain.connections import Connection, ConnectionSettings
from domain.customers import Customer
from domain.errors import Clash, FieldError, Invalid, NotFound
from domain.ids import Identities
from domain.mapping_settings import CODE, CODE_HELP, MESSAGE_CHARACTERS, NAME_CHARACTERS
from domain.ports import CustomerKeys, Lookups
from domain.queues import SkillQueue
from domain.values import conversations
from domain.work_codes import WorkCode
from domain.world import World

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,59}")
_Listed = TypeVar("_Listed", SkillQueue, WorkCode, CannedReply, Connection, Agent)


class Catalogue:
    """The commands on everything that has a code or a login of its own."""

    def __init__(self, commands: Commands, ids: Identities, lookups: Lookups, keys: CustomerKeys) -> None:
        self._commands = commands
        self._ids = ids
        self._lookups = lookups
        self._keys = keys

    # ── skill queues ───────────────────────────────────────────────────────────────────────────

    def put_queue(self, actor: Actor, code: str, name: str, *, new: bool) -> Done[None]:
        """Add or rename a queue. Raises Invalid, Clash (code used), NotFound."""
        _check(_code(code) + _name(name))

        def decide(world: World, at: datetime) -> None:
            queue = _find(world, SkillQueue, self._ids.queue(code), f"queue {code}", new=new)
            if queue is None:
                world.add(SkillQueue.create(self._ids.queue(code), code, name, actor.login, at))
            else:
                queue.modify(name, actor.login, at)

        return self._commands.run(decide)

    def remove_queue(self, actor: Actor, code: str) -> Done[None]:
        """Remove a queue. Raises NotFound, Clash naming who uses it."""

        def decide(world: World, at: datetime) -> None:
            queue = _existing(world, SkillQueue, self._ids.queue(code), f"queue {code}")
            waiting = self._lookups.waiting_in(code)
            if waiting:
                raise Clash(f"{conversations(waiting)} waiting in queue {code}")
            queue.remove(actor.login, at)

        return self._commands.run(decide)

    # ── agents ─────────────────────────────────────────────────────────────────────────────────

    def put_agent(self, actor: Actor, login: str, settings: AgentSettings, *, new: bool) -> Done[None]:
        """Add or modify an agent. Raises Invalid, Clash (login used), NotFound."""
        _check(_login(login) + _name(settings.name) + _agent_form(settings))

        def decide(world: World, at: datetime) -> None:
            agent = _find(world, Agent, self._ids.agent(login), f"agent {login}", new=new, field="login")
            before = agent.settings.skills if agent and not agent.removed else ()
            self._use_skills(world, login, before, settings.skills, at)
            if agent is None:
                world.add(Agent.create(self._ids.agent(login), login, settings, actor.login, at))
            else:
                agent.modify(settings, actor.login, at)

        return self._commands.run(decide)

    def remove_agent(self, actor: Actor, login: str) -> Done[None]:
        """Remove an agent. Raises NotFound, Clash while conversations are in hand."""

        def decide(world: World, at: datetime) -> None:
            agent = _existing(world, Agent, self._ids.agent(login), f"agent {login}")
            self._use_skills(world, login, agent.settings.skills, (), at)
            agent.remove(actor.login, at)

        return self._commands.run(decide)

    def _use_skills(
        self, world: World, login: str, before: Iterable[str], after: Iterable[str], at: datetime
    ) -> None:
        old, new = set(before), set(after)
        world.load(self._ids.queue(code) for code in old | new)
        for code in sorted(new):
            queue = world.get(SkillQueue, self._ids.queue(code))
            if queue is None or queue.removed:
                raise Invalid.field("skills", f"there is no queue {code}")
            queue.add_user(f"agent {login}", at)
        for code in sorted(old - new):
            queue = world.get(SkillQueue, self._ids.queue(code))
            if queue:
                queue.remove_user(f"agent {login}", at)

    # ── connections ────────────────────────────────────────────────────────────────────────────

    def put_connection(
        self, actor: Actor, code: str, settings: ConnectionSettings, *, new: bool
    ) -> Done[None]:
        """Add or modify a connection. Raises Invalid, Clash (code used), NotFound."""
        _check(_code(code) + _name(settings.name) + _connection_form(settings))

        def decide(world: World, at: datetime) -> None:
            connection_id = self._ids.connection(code)
            found = _find(world, Connection, connection_id, f"connection {code}", new=new)
            if found is None:
                world.add(Connection.create(connection_id, code, settings, actor.login, at))
            else:
                found.modify(settings, actor.login, at)

        return self._commands.run(decide)

    def remove_connection(self, actor: Actor, code: str) -> Done[None]:
        """Remove a connection. Raises NotFound, Clash naming who uses it."""

        def decide(world: World, at: datetime) -> None:
            _existing(world, Connection, self._ids.connection(code), f"connection {code}").remove(
                actor.login, at
            )

        return self._commands.run(decide)

    # ── work codes and canned replies ──────────────────────────────────────────────────────────

    def put_work_code(self, actor: Actor, code: str, name: str, *, new: bool) -> Done[None]:
        """Add or rename a work code. Raises Invalid, Clash (code used), NotFound."""
        _check(_code(code) + _name(name))

        def decide(world: World, at: datetime) -> None:
            found = _find(world, WorkCode, self._ids.work_code(code), f"work code {code}", new=new)
            if found is None:
                world.add(WorkCode.create(self._ids.work_code(code), code, name, actor.login, at))
            else:
                found.modify(name, actor.login, at)

        return self._commands.run(decide)

    def remove_work_code(self, actor: Actor, code: str) -> Done[None]:
        """Take a work code off the list. Raises NotFound."""

        def decide(world: World, at: datetime) -> None:
            _existing(world, WorkCode, self._ids.work_code(code), f"work code {code}").remove(actor.login, at)

        return self._commands.run(decide)

    def put_canned_reply(self, actor: Actor, code: str, name: str, text: str, *, new: bool) -> Done[None]:
        """Add or replace a canned reply. Raises Invalid, Clash (code used), NotFound."""
        _check(_code(code) + _name(name) + _reply_text(text))

        def decide(world: World, at: datetime) -> None:
            reply_id = self._ids.canned_reply(code)
            found = _find(world, CannedReply, reply_id, f"canned reply {code}", new=new)
            if found is None:
                world.add(CannedReply.create(reply_id, code, name, text, actor.login, at))
            else:
                found.modify(name, text, actor.login, at)

        return self._commands.run(decide)

    def remove_canned_reply(self, actor: Actor, code: str) -> Done[None]:
        """Take a canned reply off the list. Raises NotFound."""

        def decide(world: World, at: datetime) -> None:
            _existing(world, CannedReply, self._ids.canned_reply(code), f"canned reply {code}").remove(
                actor.login, at
            )

        return self._commands.run(decide)

    # ── customers ──────────────────────────────────────────────────────────────────────────────

    def forget(self, actor: Actor, address: str) -> Done[int]:
        """Forget the customer who uses this address: their texts and numbers can never be read again.

        Returns how many keys were destroyed. The views purge what they hold when they reach the position.
        Raises Clash while a conversation with them is open.
        """
        customer_id = self._ids.customer(address)
        if self._lookups.open_with_customer(customer_id):
            raise Clash("a conversation with this customer is open; end it first")
        destroyed = self._keys.destroy(customer_id)

        def decide(world: World, at: datetime) -> int:
            # A stream of its own: the customer's id names the keys, not a stream of events.
            stream_id = self._ids.caused(customer_id, "customer")
            world.load({stream_id})
            customer = world.get(Customer, stream_id)
            if customer is None:
                world.add(Customer.forget_first(stream_id, customer_id, actor.login, at))
            else:
                customer.forget(actor.login, at)
            return destroyed

        return self._commands.run(decide)


def _find(
    world: World, kind: type[_Listed], stream_id: UUID, what: str, *, new: bool, field: str = "code"
) -> _Listed | None:
    """What is to be put: None when it never existed. Raises Clash or NotFound by what `new` expects."""
    world.load({stream_id})
    found = world.get(kind, stream_id)
    lives = found is not None and not found.removed
    if new and lives:
        raise Clash(f"there is a {what} already", field)
    if not new and not lives:
        raise NotFound(f"there is no {what}")
    return found


def _existing(world: World, kind: type[_Listed], stream_id: UUID, what: str) -> _Listed:
    found = _find(world, kind, stream_id, what, new=False)
    if found is None:
        raise NotFound(f"there is no {what}")
    return found


def _check(errors: list[FieldError]) -> None:
    if errors:
        raise Invalid(errors)


def _code(code: str) -> list[FieldError]:
    return [] if CODE.fullmatch(code) else [FieldError("code", CODE_HELP)]


def _login(login: str) -> list[FieldError]:
    help_text = "use 1 to 60 small letters, digits and . _ @ -, starting with a letter or digit"
    return [] if LOGIN.fullmatch(login) else [FieldError("login", help_text)]


def _name(name: str) -> list[FieldError]:
    if not name.strip():
        return [FieldError("name", "is needed")]
    return (
        [FieldError("name", f"at most {NAME_CHARACTERS} characters")] if len(name) > NAME_CHARACTERS else []
    )


def _reply_text(text: str) -> list[FieldError]:
    if not text.strip():
        return [FieldError("text", "is needed")]
    too_long = len(text) > MESSAGE_CHARACTERS
    return [FieldError("text", f"at most {MESSAGE_CHARACTERS} characters")] if too_long else []


def _agent_form(settings: AgentSettings) -> list[FieldError]:
    errors = []
    if not 1 <= settings.room <= 50:
        errors.append(FieldError("room", "must be between 1 and 50 conversations"))
    if not 0 <= settings.wrap_up_seconds <= 3600:
        errors.append(FieldError("wrap_up_seconds", "must be between 0 and 3600 seconds"))
    if len(set(settings.skills)) != len(settings.skills):
        errors.append(FieldError("skills", "names a queue twice"))
    return errors


def _connection_form(settings: ConnectionSettings) -> list[FieldError]:
    errors = []
    if not settings.region.strip():
        errors.append(FieldError("region", "is needed"))
    for name in ("role", "streaming_topic"):
        value = getattr(settings, name)
        if value is not None and not value.startswith("arn:"):
            errors.append(FieldError(name, "must be an ARN"))
    errors += [
        FieldError("topics", f"{each} is not an ARN")
        for each in settings.topics
        if not each.startswith("arn:")
    ]
    errors += [
        FieldError("queues", f"{each} is not an https URL")
        for each in settings.queues
        if not each.startswith("https://")
    ]
    return errors
