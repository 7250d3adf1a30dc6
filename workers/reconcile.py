"""Reconciling: attempts in doubt are looked up in the provider's records, where it keeps any.

A provider's list may lag behind, so an attempt is looked for several times. What is still not found
waits for a person; an automatic text, which nobody would send a second time, is dropped. Nothing is
ever sent again by itself.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from domain.commands import Commands
from domain.errors import NotFound
from domain.facts import Outcome
from domain.intake import Intake
from domain.masking import masked
from domain.message_values import MessageStatus, Resolution
from domain.message_values import Sender as OutboundSender
from domain.messages import Message
from domain.ports import Clock, EventStore, Ingress
from domain.providers import Handover, SendError
from domain.world import World
from projections.lanes import LaneQueries, Outgoing
from projections.views import Views
from workers.sending import Attempt, Sender, settled

log = logging.getLogger(__name__)

LOOKS = (timedelta(seconds=3), timedelta(seconds=20), timedelta(minutes=2))
"""So long after an attempt fell in doubt it is looked up."""

BATCH = 20
MOST = 1000
CATCH_UP = 1.0
"""Seconds in which the views show what the store had when the provider answered; else the next look tells."""


class Reconcile:
    """Looks attempts in doubt up."""

    name = "reconcile"
    pace = 0.25

    def __init__(
        self,
        views: Views,
        store: EventStore,
        ingress: Ingress,
        intake: Intake,
        sender: Sender,
        commands: Commands,
        clock: Clock,
    ) -> None:
        self._views = views
        self._lanes = LaneQueries(views)
        self._store = store
        self._ingress = ingress
        self._intake = intake
        self._sender = sender
        self._commands = commands
        self._clock = clock
        self._looked: dict[tuple[UUID, int], int] = {}

    def step(self) -> bool:
        """Look up at most a batch of those whose time for a look has come."""
        now = self._clock.now()
        in_doubt = self._lanes.in_doubt(now - LOOKS[-1] * 2, MOST)
        present = {(each.message_id, each.attempt) for each in in_doubt}
        self._looked = {key: looks for key, looks in self._looked.items() if key in present}
        due = [each for each in in_doubt if self._is_due(each, now)][:BATCH]
        taken: set[UUID] = set()
        for each in sorted(due, key=lambda item: item.sequence):  # oldest first, as the records
            key = (each.message_id, each.attempt)
            self._looked[key] = self._looked.get(key, 0) + 1
            self._look_up(each, taken)
        return bool(due)

    def wait(self, timeout: float) -> None:
        self._views.wait(timeout)

    def _is_due(self, item: Outgoing, now: datetime) -> bool:
        looks = self._looked.get((item.message_id, item.attempt), 0)
        if looks >= len(LOOKS) or item.in_doubt_since is None:
            return False
        return now >= item.in_doubt_since + LOOKS[looks]

    def _look_up(self, item: Outgoing, taken: set[UUID]) -> None:
        """Look one up. `taken` are the provider's records that others of this batch were found to be."""
        message = self._store.load({item.message_id}).get(item.message_id)
        if not isinstance(message, Message) or message.status is not MessageStatus.IN_DOUBT:
            return
        try:
            line = self._sender.line(message.our_address, message.mapping_id)
        except NotFound:
            return
        if not line.can_find:
            self._give_up(message)
            return
        outbound = self._sender.outbound(message, item.attempt, self._clock.now())
        attempt = Attempt(message.thread_id, line, outbound, message.send_by)
        try:
            candidates = line.carrier.find(outbound, message.attempted_at)
        except SendError as error:
            log.info("message %s could not be looked up: %s", message.id, masked(error.detail))
            return
        except Exception:  # a provider's bug: the next look may fare better
            log.exception("message %s could not be looked up", message.id)
            return
        free = (each for each in candidates if self._is_unknown(line.scope, each, taken))
        found = None if self._another_is_under_way(item) else next(free, None)
        if found is None:
            if self._looked[item.message_id, item.attempt] >= len(LOOKS):
                self._give_up(message)
        else:
            taken.add(self._intake.reference(line.scope, found.provider_message_id))
            self._ingress.accept(
                [
                    settled(
                        attempt,
                        Outcome.ACCEPTED,
                        provider_message_id=found.provider_message_id,
                        reconciled=True,
                    )
                ]
            )

    def _give_up(self, message: Message) -> None:
        """Drop an automatic text; an agent's waits for a person."""
        if message.sender is not OutboundSender.SYSTEM:
            return

        def drop(world: World, at: datetime) -> None:
            world.load({message.id})
            found = world.get(Message, message.id)
            if found and found.status is MessageStatus.IN_DOUBT:
                found.resolve(Resolution.DROP, "parley", "an automatic text is not sent twice", at, at)

        self._commands.run(drop)

    def _another_is_under_way(self, item: Outgoing) -> bool:
        """Whether the record may be of another send of this thread, whose answer has not come yet."""
        if not self._views.wait_for(self._store.head(), CATCH_UP):
            return True
        return any(each.thread_id == item.thread_id for each in self._lanes.attempting(item.lane))

    def _is_unknown(self, scope: str, handover: Handover, taken: set[UUID]) -> bool:
        """Whether no other message of ours is what the provider has there: equal texts look alike."""
        reference = self._intake.reference(scope, handover.provider_message_id)
        return reference not in taken and not self._store.messages_by_reference({reference})
