"""What commands have just made, from the store itself: the views may show it a moment later."""

from collections.abc import Iterable
from uuid import UUID

from api.services import services
from domain.consent import Consent, consents
from domain.conversations import Conversation
from domain.errors import FieldError, Invalid, NotFound
from domain.mappings import Mapping
from projections.as_of import conversation_from, message_from
from projections.history_documents import ConversationView, MessageDetail


def present_conversation(conversation_id: UUID) -> ConversationView:
    """A conversation as it is now. Raises NotFound."""
    store = services().store
    conversation = store.load({conversation_id}).get(conversation_id)
    if not isinstance(conversation, Conversation):
        raise NotFound("there is no conversation with that id")
    mapping_id = conversation.terms.mapping_id
    around = store.load({mapping_id, *consents(services().ids, conversation)})
    mapping = around.get(mapping_id)
    route = mapping.settings.route(conversation.our_address) if isinstance(mapping, Mapping) else None
    found = conversation_from(
        store.stream(conversation_id),
        display_name=route.display_name if route else "",
        opted_out=any(isinstance(each, Consent) and each.opted_out for each in around.values()),
    )
    if found is None:
        raise NotFound("there is no conversation with that id")
    return found


def present_message(message_id: UUID) -> MessageDetail:
    """A message as it is now. Raises NotFound."""
    found = message_from(services().store.stream(message_id))
    if found is None:
        raise NotFound("there is no message with that id")
    return found


def check_uploads(media_ids: Iterable[UUID]) -> None:
    """Make sure that pictures and files to be sent are here. Raises Invalid."""
    errors = []
    for index, media_id in enumerate(media_ids):
        try:
            services().media.get(media_id)
        except KeyError:
            errors.append(FieldError(f"media_ids[{index}]", "there is no such upload"))
    if errors:
        raise Invalid(errors)
