"""Whose conversations somebody may see: agents what they have or had, and the unanswered of their queues.

Admins and analysts see all of them. Who may do what with one is for the platform's commands to say.
"""

from uuid import UUID

from adapters.accounts import Role
from api.services import services
from domain.commands import Actor
from domain.conversations import EndOutcome
from domain.errors import Forbidden, NotFound
from projections.desk_queries import DeskQueries
from projections.history_documents import ConversationView, MessageDetail, MessageView
from projections.history_queries import HistoryQueries

_UNANSWERED = (EndOutcome.MISSED, EndOutcome.REFUSED)


def sees_all(actor: Actor) -> bool:
    """Whether every conversation is theirs to read."""
    return bool(actor.roles & {Role.ADMIN, Role.ANALYST})


def skills_of(actor: Actor) -> tuple[str, ...]:
    """The queues whose unanswered conversations are an agent's to see."""
    agent = DeskQueries(services().views).agent(actor.login)
    return agent.skills if agent else ()


def visible_conversation(actor: Actor, conversation_id: UUID) -> ConversationView:
    """A conversation that the actor may see. Raises NotFound, Forbidden."""
    found = HistoryQueries(services().views).conversation(conversation_id)
    if found is None:
        raise NotFound("there is no conversation with that id")
    if not may_see(actor, found):
        raise Forbidden("the conversation is not in your hands and never was")
    return found


def visible_message(actor: Actor, message_id: UUID) -> MessageDetail:
    """A message that the actor may see. Raises NotFound, Forbidden."""
    found = HistoryQueries(services().views).message(message_id)
    if found is None:
        raise NotFound("there is no message with that id")
    if not may_see_message(actor, found.message):
        raise Forbidden("the message belongs to a conversation that never was in your hands")
    return found


def may_see(actor: Actor, conversation: ConversationView) -> bool:
    """Whether the conversation is the actor's to see."""
    if sees_all(actor) or actor.login in (conversation.agent, conversation.ended_by):
        return True
    if conversation.outcome in _UNANSWERED and conversation.queue in skills_of(actor):
        return True
    return DeskQueries(services().views).was_in_hands(actor.login, conversation.id)


def may_see_message(actor: Actor, message: MessageView) -> bool:
    """Whether the message is the actor's to see: their own, or of a conversation that is theirs to see."""
    if sees_all(actor) or message.agent == actor.login:
        return True
    if message.conversation_id is None:
        return False
    conversation = HistoryQueries(services().views).conversation(message.conversation_id)
    return conversation is not None and may_see(actor, conversation)
