"""The demo's data: two numbers, two agents, and a day that is past, lived through in a second.

The day is not written into the views: it is played to the platform itself by a stepped clock, so that
what the pages show of it is what the platform does.
"""

import shutil
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.providers.simulator import LOST_ANSWER, NOT_DELIVERED, SCOPE, SimulatorProvider
from domain.administration import MappingDraft
from domain.agents import AgentSettings, AgentStatus
from domain.commands import Actor
from domain.desk import Start
from domain.facts import TextReceived
from domain.mapping_settings import ChatControl, KeywordAnswers, Kind, MappingSettings, Route, Status
from domain.threads import Thread
from workers.demo_cast import HANDSETS
from workers.inline import InlineExecutor, InlineRun, SteppedClock
from workers.settings import Settings
from workers.storage import Files
from workers.wiring import Platform

SUPPORT = "+15005550006"
SALES = "+15005550007"
BILLING = "+15005550008"
NO_ROUTE = "+15005550009"

ADMIN = Actor("admin", frozenset({"admin"}))
ANA = Actor("ana", frozenset({"agent"}))
BEN = Actor("ben", frozenset({"agent"}))


def seed(settings: Settings, public_url: str) -> None:
    """Live through yesterday, once: nothing happens when there is data already."""
    folder = settings.data_dir
    if Files.in_folder(folder).store.exists():
        return
    # Lived through beside its place, then moved there: a demo stopped on the way begins anew.
    draft = folder.with_name(f"{folder.name}.seeding")
    shutil.rmtree(draft, ignore_errors=True)
    _live(settings.model_copy(update={"data_dir": draft}), public_url)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(draft.iterdir(), key=lambda each: each.name == "store.db"):
        path.replace(folder / path.name)
    draft.rmdir()


def _live(settings: Settings, public_url: str) -> None:
    zone = ZoneInfo(settings.timezone)
    today = datetime.now(zone).date()
    clock = SteppedClock(datetime.combine(today - timedelta(days=1), time(9), zone).astimezone(UTC))
    platform = Platform(settings, demo=True, public_url=public_url, clock=clock, pool=InlineExecutor())
    day = _Day(InlineRun(platform, clock))
    day.set_up()
    day.live()
    clock.move_to(datetime.now(UTC) - timedelta(minutes=2))
    day.run.settle()
    day.text(HANDSETS[0], SUPPORT, "Hello? My parcel says delivered, but nothing is here.")
    platform.close()


class _Day:
    """Yesterday, as it went."""

    def __init__(self, run: InlineRun) -> None:
        self.run = run
        self.platform = run.platform
        self._texts = 0

    # ── who and what there is ──────────────────────────────────────────────────────────────────

    def set_up(self) -> None:
        catalogue = self.platform.catalogue
        for code, name in (("SUPPORT", "Support"), ("SALES", "Sales"), ("BILLING", "Billing")):
            catalogue.put_queue(ADMIN, code, name, new=True)
        for code, name in (("SOLVED", "Solved"), ("FOLLOW-UP", "Needs follow-up"), ("SPAM", "Spam")):
            catalogue.put_work_code(ADMIN, code, name, new=True)
        for code, name, text in (
            ("HELLO", "Greeting", "Hello, this is Parley support. How can I help you?"),
            ("MOMENT", "One moment", "One moment please, I am looking into it."),
        ):
            catalogue.put_canned_reply(ADMIN, code, name, text, new=True)
        ana = AgentSettings("Ana Silva", ("SUPPORT", "SALES"), room=4, wrap_up_seconds=0)
        ben = AgentSettings("Ben Okoro", ("SALES", "BILLING"), room=3, wrap_up_seconds=15)
        catalogue.put_agent(ADMIN, ANA.login, ana, new=True)
        catalogue.put_agent(ADMIN, BEN.login, ben, new=True)
        self._add_mapping("DEMO", "Demo numbers", None, (("Support", SUPPORT), ("Sales", SALES)))
        self._add_mapping("DEMO-BILLING", "One conversation at a time", 1, (("Billing", BILLING),))
        self.run.settle()

    def _add_mapping(
        self, code: str, description: str, max_chats: int | None, routes: tuple[tuple[str, str], ...]
    ) -> None:
        control = ChatControl(
            idle_timeout_minutes=10,
            idle_timeout_message="We have not heard from you for a while, so this conversation has ended.",
            max_chats=max_chats,
            max_chats_message="All our lines are busy. Please text us again in a few minutes.",
            keyword_answers=KeywordAnswers.PARLEY,
        )
        settings = MappingSettings(
            kind=Kind.REST,
            code=code,
            description=description,
            status=Status.ACTIVE,
            default_country="US",
            provider=SimulatorProvider.name,
            chat_control=control,
            routes=tuple(Route(address, name, skill_queue=name.upper()) for name, address in routes),
        )
        secret = self.platform.ids.of("demo-secret", code).hex
        self.platform.mappings.add(ADMIN, MappingDraft(settings, {"password": secret}))

    # ── what people do ─────────────────────────────────────────────────────────────────────────

    def text(self, customer: str, our_address: str, text: str) -> UUID | None:
        """A customer texts; the conversation it belongs to, if it belongs to one."""
        self._texts += 1
        code = "DEMO-BILLING" if our_address == BILLING else "DEMO"
        thread_id = self.platform.ids.thread(our_address, customer)
        fact = TextReceived(
            key=thread_id,
            mapping_id=self.platform.ids.mapping(code),
            scope=SCOPE,
            provider_message_id=f"yesterday-{self._texts}",
            our_address=our_address,
            customer_address=customer,
            text=text,
            media=(),
            keyword=None,
            raw="",
        )
        self.run.accept(fact)
        thread = self.platform.store.load({thread_id}).get(thread_id)
        return thread.open_conversation if isinstance(thread, Thread) else None

    def reply(self, actor: Actor, conversation_id: UUID | None, text: str) -> None:
        """An agent answers, some seconds later."""
        self.run.pass_time(timedelta(seconds=20))
        if conversation_id is None:
            raise RuntimeError("the demo's script expects an open conversation here")
        self._texts += 1
        self.platform.desk.reply(actor, conversation_id, text, (), f"yesterday-{self._texts}")
        self.run.settle()

    def end(self, actor: Actor, conversation_id: UUID | None, work_code: str) -> None:
        """An agent ends a conversation."""
        self.run.pass_time(timedelta(seconds=40))
        if conversation_id is not None:
            self.platform.desk.end(actor, conversation_id, work_code)
        self.run.settle()

    def status(self, actor: Actor, status: AgentStatus) -> None:
        """An agent comes or goes."""
        self.platform.desk.change_status(actor, actor.login, status, requeue=True)
        self.run.settle()

    # ── how it went ────────────────────────────────────────────────────────────────────────────

    def live(self) -> None:
        """One of everything that a day can bring."""
        self.status(ANA, AgentStatus.AVAILABLE)
        self.status(BEN, AgentStatus.AVAILABLE)
        self._handled()
        self._idle_end()
        self._transfer()
        self._refusal()
        self._stop()
        self._in_doubt()
        self._agent_started()
        self.status(ANA, AgentStatus.OFFLINE)
        self.status(BEN, AgentStatus.OFFLINE)
        self._missed()
        self.text("+12025550140", NO_ROUTE, "Is this still the number for repairs?")

    def _handled(self) -> None:
        conversation = self.text(
            "+12025550110", SUPPORT, "Hi, can I change the delivery address of order 4711?"
        )
        self.reply(ANA, conversation, "Of course. Where should it go?")
        self.text("+12025550110", SUPPORT, "12 Elm Street, Springfield. Thank you! 🙏")
        self.reply(ANA, conversation, "Done: it goes to 12 Elm Street. Anything else?")
        self.end(ANA, conversation, "SOLVED")
        self.run.pass_time(timedelta(minutes=12))

    def _idle_end(self) -> None:
        conversation = self.text("+12025550111", SUPPORT, "What are your opening hours?")
        self.reply(ANA, conversation, "Monday to Friday, 9 to 18. Would you like an appointment?")
        self.run.pass_time(timedelta(minutes=11))

    def _transfer(self) -> None:
        conversation = self.text("+12025550112", SUPPORT, "I want to order 200 more. Who can quote me?")
        self.reply(ANA, conversation, "My colleagues in sales can: I hand you over.")
        self.status(ANA, AgentStatus.AWAY)
        if conversation is not None:
            self.platform.desk.transfer_to_queue(ANA, conversation, "SALES")
        self.run.settle()
        self.reply(
            BEN, conversation, "Hello, Ben here. 200 pieces would be $4.10 each. Shall I send a quote?"
        )
        self.text("+12025550112", SUPPORT, "Yes please")
        self.end(BEN, conversation, "FOLLOW-UP")
        self.status(ANA, AgentStatus.AVAILABLE)

    def _refusal(self) -> None:
        first = self.text("+12025550113", BILLING, "My invoice shows the wrong VAT number.")
        self.text("+12025550114", BILLING, "I was charged twice this month!")
        self.reply(BEN, first, "Sorry about that: a corrected one is on its way to you.")
        self.end(BEN, first, "SOLVED")

    def _stop(self) -> None:
        conversation = self.text("+12025550115", SUPPORT, "Who is this?")
        self.reply(ANA, conversation, "This is Parley support. You asked us to text you about your order.")
        self.text("+12025550115", SUPPORT, "STOP")
        self.end(ANA, conversation, "SOLVED")

    def _in_doubt(self) -> None:
        conversation = self.text(f"+1202555{LOST_ANSWER}", SUPPORT, "Did you get my return?")
        self.reply(ANA, conversation, "Yes, it arrived this morning. The refund takes two days.")
        self.end(ANA, conversation, "SOLVED")

    def _agent_started(self) -> None:
        for customer, text in (
            ("+12025550116", "Your order 4712 is ready for pick-up until 18:00."),
            (f"+1202555{NOT_DELIVERED}", "Your appointment is confirmed for tomorrow, 10:30."),
        ):
            self._texts += 1
            start = Start(SALES, customer, text, single=True)
            self.platform.desk.start(BEN, start, f"yesterday-{self._texts}")
            self.run.pass_time(timedelta(minutes=1))

    def _missed(self) -> None:
        self.run.pass_time(timedelta(hours=2), every=timedelta(minutes=5))
        self.text("+12025550117", SUPPORT, "Is anybody there? My router is dead.")
        self.run.pass_time(timedelta(minutes=12))
