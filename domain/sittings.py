"""Starting, ending and speaking in conversations: the steps that ingest and agents' commands share."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.capacity import Capacity
from domain.consent import Between, Consent, consents
from domain.conversations import Conversation, EndReason, Origin, Parties, Terms
from domain.errors import Clash
from domain.ids import Identities
from domain.mapping_settings import Route
from domain.mappings import Mapping
from domain.message_values import NOTICE_TIME, Envelope, Outbound, Purpose, Sender
from domain.messages import Message
from domain.notices import is_suppressed, wording
from domain.providers import Provider
from domain.threads import Thread
from domain.values import ERASED
from domain.world import World


@dataclass(frozen=True)
class Meeting:
    """A customer and one of our numbers: what everything between them is named by."""

    thread_id: UUID
    customer_id: UUID
    customer_address: str
    our_address: str
    consent_scope: str
    consent_id: UUID

    @property
    def parties(self) -> Parties:
        """The two, as a conversation keeps them."""
        return Parties(self.thread_id, self.customer_id, self.customer_address, self.our_address)


class Sittings:
    """What happens to conversations, whoever made it happen. Changes only the world it is given."""

    def __init__(self, ids: Identities, providers: dict[str, Provider]) -> None:
        self.ids = ids
        self._providers = providers

    def meeting(self, mapping: Mapping, our_address: str, customer_address: str) -> Meeting:
        """Name what is between a customer and one of a mapping's numbers."""
        settings = mapping.settings
        provider = self._providers.get(settings.provider_name)
        scope = provider.sender_scope(settings.options, our_address) if provider else our_address
        return Meeting(
            thread_id=self.ids.thread(our_address, customer_address),
            customer_id=self.ids.customer(customer_address),
            customer_address=customer_address,
            our_address=our_address,
            consent_scope=scope,
            consent_id=self.ids.consent(scope, customer_address),
        )

    def streams_of(self, mapping: Mapping, meeting: Meeting) -> set[UUID]:
        """What has to be loaded before a conversation of this mapping can start or end."""
        needed = {meeting.thread_id, *self.consents(meeting)}
        if mapping.settings.chat_control.max_chats is not None:
            needed.add(self.ids.capacity(mapping.id))
        return needed

    def streams_to_end(self, conversation: Conversation) -> set[UUID]:
        """What has to be loaded before a conversation can end or an automatic text can go out in it."""
        needed = {conversation.thread_id, *self.consents(conversation)}
        if conversation.terms.counted:
            needed.add(self.ids.capacity(conversation.terms.mapping_id))
        return needed

    def terms(self, mapping: Mapping, route: Route, meeting: Meeting) -> Terms:
        """What a conversation that starts now keeps."""
        settings = mapping.settings
        return Terms(
            mapping_id=mapping.id,
            mapping_code=settings.code,
            mapping_version=mapping.version,
            delivery_provider=settings.delivery_provider,
            queue=route.skill_queue,
            contact_flow=route.contact_flow,
            chat_control=settings.chat_control,
            counted=settings.chat_control.max_chats is not None,
            consent_id=meeting.consent_id,
            consent_scope=meeting.consent_scope,
        )

    def thread(self, world: World, meeting: Meeting, at: datetime) -> Thread:
        """The thread, begun when the two addresses meet for the first time."""
        found = world.get(Thread, meeting.thread_id)
        if found is not None:
            return found
        return world.add(Thread.create(meeting.thread_id, meeting.our_address, meeting.customer_id, at))

    def start(
        self,
        world: World,
        conversation_id: UUID,
        meeting: Meeting,
        origin: Origin,
        terms: Terms,
        at: datetime,
    ) -> Conversation:
        """Open a conversation on a thread that has none open, and count it where there is a maximum."""
        thread = self.thread(world, meeting, at)
        conversation = world.add(Conversation.create(conversation_id, meeting.parties, origin, terms, at))
        if origin is not Origin.SINGLE:
            thread.start_conversation(conversation_id, at)
            if terms.counted:
                self.capacity(world, terms.mapping_id, at).take(conversation_id, at)
        return conversation

    def capacity(self, world: World, mapping_id: UUID, at: datetime) -> Capacity:
        """The count of a mapping with a maximum, begun with its first conversation."""
        capacity_id = self.ids.capacity(mapping_id)
        found = world.get(Capacity, capacity_id)
        return found or world.add(Capacity.create(capacity_id, mapping_id, at))

    def end(
        self,
        world: World,
        conversation: Conversation,
        reason: EndReason,
        at: datetime,
        *,
        by: str | None = None,
        work_code: str | None = None,
    ) -> None:
        """End a conversation: its thread is free, its place is free, its customer may be told."""
        last_agent = conversation.agent
        conversation.end(reason, at, by=by, work_code=work_code)
        if by is not None and conversation.needs_follow_up:
            # Whoever ends it by hand, even without a word, has dealt with it.
            conversation.dismiss(by, at)
        missed = conversation.needs_follow_up
        thread = world.need(Thread, conversation.thread_id, "thread of the conversation")
        thread.end_conversation(conversation.id, last_agent, at, missed=missed)
        if conversation.terms.counted:
            self.capacity(world, conversation.terms.mapping_id, at).free(conversation.id, at)
        if reason is EndReason.IDLE:
            self.tell(world, conversation, Purpose.IDLE_TIMEOUT, at)
        elif reason is not EndReason.SINGLE:
            self.tell(world, conversation, Purpose.ENDED, at)

    def tell(
        self, world: World, conversation: Conversation, purpose: Purpose, at: datetime, *, agent: str = ""
    ) -> None:
        """Send the customer an automatic text of this conversation, where its terms have one."""
        text = wording(purpose, conversation.terms.chat_control, agent)
        if conversation.customer_address == ERASED:
            return
        if not text or self.has_opted_out(world, conversation):
            return
        thread = world.need(Thread, conversation.thread_id, "thread of the conversation")
        withheld = is_suppressed(purpose, conversation.terms) or not thread.may_text_automatically(at)
        message_id = self.ids.caused(conversation.id, f"{purpose}:{conversation.version}")
        envelope = Envelope(
            thread_id=conversation.thread_id,
            conversation_id=conversation.id,
            mapping_id=conversation.terms.mapping_id,
            customer_id=conversation.customer_id,
            our_address=conversation.our_address,
            customer_address=conversation.customer_address,
            text=text,
        )
        outbound = self._automatic(purpose, conversation.consent_id, at, suppressed=withheld)
        world.add(Message.request(message_id, envelope, outbound, at))
        if not withheld:
            thread.note_automatic_text(message_id, at)

    def answer_keyword(
        self, world: World, mapping: Mapping, meeting: Meeting, cause: Message, purpose: Purpose, at: datetime
    ) -> None:
        """Answer STOP, START or HELP. The confirmation of a STOP goes out although the customer opted out."""
        text = wording(purpose, mapping.settings.chat_control)
        thread = self.thread(world, meeting, at)
        exempt = purpose is Purpose.OPTED_OUT
        may_text = thread.may_text_automatically(at) and not self.has_opted_out(world, meeting)
        if not text or not (exempt or may_text):
            return
        envelope = Envelope(
            thread_id=meeting.thread_id,
            conversation_id=cause.conversation_id,
            mapping_id=mapping.id,
            customer_id=meeting.customer_id,
            our_address=meeting.our_address,
            customer_address=meeting.customer_address,
            text=text,
        )
        message_id = self.ids.caused(cause.id, purpose)
        outbound = self._automatic(purpose, meeting.consent_id, at, exempt=exempt)
        world.add(Message.request(message_id, envelope, outbound, at))
        thread.note_automatic_text(message_id, at)

    # ── consent ────────────────────────────────────────────────────────────────────────────────

    def consents(self, between: Between) -> tuple[UUID, ...]:
        """The streams that say whether the customer may be texted."""
        return consents(self.ids, between)

    def has_opted_out(self, world: World, between: Between) -> bool:
        """Whether the customer has opted out, of the sender scope or of our own address."""
        found = (world.get(Consent, each) for each in self.consents(between))
        return any(consent.opted_out for consent in found if consent)

    def refuse_opted_out(self, world: World, between: Between) -> None:
        """Raises Clash when the customer has opted out."""
        if self.has_opted_out(world, between):
            raise Clash("the customer has opted out; only they can opt back in, by texting START")

    def opt_out(self, world: World, between: Between, scope: str, source: str, at: datetime) -> None:
        """Record that the customer opted out, of the sender scope (which is named) and of our own address."""
        own = self.ids.consent(between.our_address, between.customer_address)
        for consent_id in self.consents(between):
            consent = world.get(Consent, consent_id)
            if consent is None:
                named = between.our_address if consent_id == own else scope
                world.add(Consent.create(consent_id, between.customer_id, named, source, at))
            else:
                consent.opt_out(source, at)

    def opt_in(self, world: World, between: Between, source: str, at: datetime) -> None:
        """Record that the customer opted back in, to both."""
        for consent_id in self.consents(between):
            consent = world.get(Consent, consent_id)
            if consent:
                consent.opt_in(source, at)

    @staticmethod
    def _automatic(
        purpose: Purpose, consent_id: UUID, at: datetime, *, exempt: bool = False, suppressed: bool = False
    ) -> Outbound:
        return Outbound(
            sender=Sender.SYSTEM,
            agent=None,
            purpose=purpose,
            consent_id=consent_id,
            expires_at=at + NOTICE_TIME,
            exempt=exempt,
            suppressed=suppressed,
        )
