"""What needs a person: messages in doubt, texts without a route, the missed and the refused."""

from datetime import datetime
from uuid import UUID

from domain.commands import Actor, Commands, Done
from domain.conversations import Conversation
from domain.errors import Clash, Forbidden
from domain.intake import Intake
from domain.mappings import Claim, Mapping
from domain.message_values import REPLY_TIME, Resolution
from domain.messages import Message
from domain.sittings import Sittings
from domain.threads import Thread
from domain.world import World


class Attention:
    """People's decisions. Every one returns the position from which the views show it."""

    def __init__(self, commands: Commands, sittings: Sittings, intake: Intake) -> None:
        self._commands = commands
        self._sittings = sittings
        self._texts = intake.texts
        self._ids = sittings.ids

    def resolve(self, actor: Actor, message_id: UUID, resolution: Resolution, why: str) -> Done[None]:
        """Decide about a message in doubt. Raises Clash when it is not, Forbidden, NotFound."""

        def decide(world: World, at: datetime) -> None:
            world.load({message_id})
            message = world.need(Message, message_id, "message with that id")
            message.refuse_unless_in_doubt()
            if message.conversation_id:
                world.load({message.conversation_id})
                conversation = world.get(Conversation, message.conversation_id)
                if (
                    not actor.is_admin
                    and conversation
                    and actor.login not in (conversation.agent, message.agent)
                ):
                    raise Forbidden("the message belongs to another agent's conversation")
            if resolution is Resolution.RESEND:
                world.load(self._sittings.consents(message))
                self._sittings.refuse_opted_out(world, message)
            message.resolve(resolution, actor.login, why, at + REPLY_TIME, at)

        return self._commands.run(decide)

    def route_again(self, actor: Actor, message_id: UUID) -> Done[None]:
        """Route an unrouted text after the fix. Raises Clash with the reason when it still has no route."""

        def decide(world: World, at: datetime) -> None:
            world.load({message_id})
            message = world.need(Message, message_id, "message with that id")
            world.load({message.thread_id, self._ids.claim(message.our_address)})
            claim = world.get(Claim, self._ids.claim(message.our_address))
            if claim is None or claim.owner is None:
                raise Clash(f"no mapping has the number {message.our_address} yet")
            mapping_id = self._ids.mapping(claim.owner)
            world.load({mapping_id})
            mapping = world.need(Mapping, mapping_id, f"mapping {claim.owner}")
            world.load(self._texts.replay_streams(message, mapping, world))
            problem = self._texts.replay(message, mapping, actor.login, at, world)
            if problem:
                raise Clash(problem)

        return self._commands.run(decide)

    def dismiss(self, actor: Actor, conversation_id: UUID) -> Done[None]:
        """Take a missed or refused conversation off the list. Raises Clash, NotFound."""

        def decide(world: World, at: datetime) -> None:
            world.load({conversation_id})
            conversation = world.need(Conversation, conversation_id, "conversation with that id")
            world.load({conversation.thread_id})
            conversation.dismiss(actor.login, at)
            thread = world.need(Thread, conversation.thread_id, "thread of the conversation")
            thread.follow_up((conversation_id,), at)

        return self._commands.run(decide)
