"""The automatic texts: what they say by default, and which of them `suppress system messages` withholds."""

from domain.conversations import Terms
from domain.mapping_settings import ChatControl
from domain.message_values import Purpose

DEFAULTS = {
    Purpose.AGENT_JOINED: "{agent} has joined the conversation.",
    Purpose.AGENT_LEFT: "{agent} has left the conversation.",
    Purpose.TRANSFERRED: "You are being transferred to a colleague.",
    Purpose.ENDED: "This conversation has ended. Text us again at any time.",
    Purpose.OPTED_OUT: "You have been unsubscribed and will get no more messages from this number. "
    "Reply START to resubscribe.",
    Purpose.OPTED_IN: "You have been resubscribed and will get messages from this number again. "
    "Reply STOP to unsubscribe.",
    Purpose.HELP: "Text us your question and an agent will answer. Reply STOP to unsubscribe.",
}

STATE_NOTICES = frozenset({Purpose.AGENT_JOINED, Purpose.AGENT_LEFT, Purpose.TRANSFERRED, Purpose.ENDED})
"""Those that tell of a conversation's state; they are recorded but not sent when suppressed."""


def wording(purpose: Purpose, control: ChatControl, agent: str = "") -> str:
    """What a mapping says on this occasion; blank when it says nothing."""
    if purpose is Purpose.IDLE_TIMEOUT:
        return control.idle_timeout_message.strip()
    if purpose is Purpose.MAX_CHATS:
        return control.max_chats_message.strip()
    text = control.notices.get(purpose.value, DEFAULTS[purpose])
    return text.replace("{agent}", agent).strip()


def is_suppressed(purpose: Purpose, terms: Terms) -> bool:
    """Whether a conversation's terms withhold this text."""
    return terms.chat_control.suppress_system_messages and purpose in STATE_NOTICES
