"""STOP, START and HELP: rule 8."""

from dataclasses import replace

import pytest

from domain.administration import MappingDraft
from domain.consent import Consent
from domain.conversations import Conversation
from domain.errors import Clash
from domain.facts import Outcome
from domain.mapping_settings import KeywordAnswers, Notice, Route
from domain.message_values import Disposition, Purpose, Resolution
from domain.messages import Message
from domain.notices import DEFAULTS
from domain.providers import OptionValue
from domain.threads import AUTOMATIC_TEXTS_AN_HOUR, Thread
from tests.domain.given import ADMIN, ANA, CUSTOMER, MAPPING, MINUTE, OTHER, OURS, OURS_TOO, Stage, one, then

ANSWER = (Message.Requested, Thread.AutomaticTextSent)


@pytest.fixture
def answering(stage: Stage) -> Stage:
    """Parley answers the keywords, not the provider."""
    stage.control(keyword_answers=KeywordAnswers.PARLEY)
    return stage


@pytest.fixture
def pooled(stage: Stage) -> Stage:
    """The provider pools our number with others."""
    stage.change(options={"pool": "MG1"})
    return stage


# ── without a conversation ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["STOP", "HELP", "START"])
def test_a_keyword_alone_starts_no_conversation(stage: Stage, word: str) -> None:
    events = stage.text(word)
    assert one(events, Message.Received).disposition is Disposition.KEYWORD
    assert one(events, Message.Received).keyword == word
    assert stage.thread().open_conversation is None
    assert stage.lookups.conversations() == []


def test_stop_opts_out_and_start_back_in(stage: Stage) -> None:
    then(stage.text("stop"), Message.Received, Thread.Created, Consent.Created)
    assert stage.opted_out()
    then(stage.text("Start!"), Message.Received, Consent.OptedIn)
    assert not stage.opted_out()
    then(stage.text("unsubscribe"), Message.Received, Consent.OptedOut)
    assert stage.opted_out()
    assert not stage.opted_out(OTHER)


def test_repeated_stops_and_needless_starts_change_nothing(stage: Stage) -> None:
    then(stage.text("START"), Message.Received, Thread.Created)
    stage.text("STOP")
    then(stage.text("STOP"), Message.Received)
    stage.text("START")
    then(stage.text("START"), Message.Received)


def test_yes_opts_in_only_who_had_opted_out(stage: Stage) -> None:
    stage.text("STOP")
    then(stage.text("Yes"), Message.Received, Consent.OptedIn)
    assert one(stage.text("Yes"), Message.Received).disposition is Disposition.STARTED


def test_a_keyword_at_the_cap_is_no_refusal(stage: Stage) -> None:
    stage.control(max_chats=1)
    stage.text(customer=OTHER)
    assert one(stage.text("STOP"), Message.Received).disposition is Disposition.KEYWORD


def test_even_an_unrouted_stop_opts_out_but_is_not_answered(answering: Stage) -> None:
    then(answering.text("STOP", ours=OURS_TOO), Message.Received, Consent.Created)
    assert answering.opted_out(scope=OURS_TOO)


def test_a_keyword_that_the_provider_acted_on_counts_whatever_its_word(stage: Stage) -> None:
    events = stage.text("genug", keyword="STOP")
    assert one(events, Message.Received).keyword == "STOP"
    assert stage.opted_out()


# ── with a conversation ────────────────────────────────────────────────────────────────────────────


def test_in_a_conversation_a_stop_joins_it_and_opts_out(stage: Stage) -> None:
    stage.text()
    then(stage.text("STOP"), Message.Received, Conversation.CustomerWrote, Consent.Created)
    assert stage.conversation().is_open


def test_nobody_can_write_to_who_opted_out(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.text("STOP")
    with pytest.raises(Clash, match="opted out"):
        stage.reply()
    stage.desk.end(ANA, stage.conversation().id, None)
    for single in (True, False):
        with pytest.raises(Clash, match="opted out"):
            stage.start(single=single)


def test_who_opted_out_gets_no_automatic_text(stage: Stage) -> None:
    stage.text()
    stage.text("STOP")
    stage.clock.advance(10 * MINUTE)
    then(stage.idle(), Conversation.Ended, Thread.ConversationEnded)


def test_who_opted_out_may_still_write_to_us(stage: Stage) -> None:
    stage.text("STOP")
    assert one(stage.text("One more thing"), Message.Received).disposition is Disposition.STARTED


# ── the sender scope ───────────────────────────────────────────────────────────────────────────────


def test_consent_holds_within_the_providers_pool(stage: Stage) -> None:
    routes = (Route(OURS, "Support", "SUPPORT"), Route(OURS_TOO, "More", "SUPPORT"))
    stage.change(routes=routes, options={"pool": "MG1"})
    events = stage.text("STOP", ours=OURS_TOO)
    created = [(each.scope, each.source) for each in events if isinstance(each, Consent.Created)]
    assert created == [("MG1", "text"), (OURS_TOO, "text")]
    stage.agent("ana")
    with pytest.raises(Clash, match="opted out"):
        stage.start(single=True)


def test_start_opts_in_to_the_pool_and_the_number(pooled: Stage) -> None:
    pooled.text("STOP")
    then(pooled.text("START"), Message.Received, Consent.OptedIn, Consent.OptedIn)
    then(pooled.text("STOP"), Message.Received, Consent.OptedOut, Consent.OptedOut)
    pooled.text("START")
    pooled.agent("ana")
    pooled.start(single=True)


@pytest.mark.parametrize("pool", [{"pool": "MG2"}, {}])
def test_an_opt_out_survives_another_pool(pooled: Stage, pool: dict[str, OptionValue]) -> None:
    pooled.agent("ana")
    pooled.text("STOP")
    pooled.change(options=pool)
    with pytest.raises(Clash, match="opted out"):
        pooled.start(single=True)
    assert one(pooled.text("Yes"), Message.Received).keyword == "START"
    pooled.start(single=True)


def test_an_opt_out_of_the_number_survives_its_joining_a_pool(stage: Stage) -> None:
    stage.agent("ana")
    stage.text("STOP")
    stage.change(options={"pool": "MG1"})
    with pytest.raises(Clash, match="opted out"):
        stage.start(single=True)


@pytest.mark.parametrize("pool", [{"pool": "MG2"}, {}])
def test_an_opt_out_survives_the_numbers_move(pooled: Stage, pool: dict[str, OptionValue]) -> None:
    other = replace(MAPPING, code="TW-2", routes=(Route(OURS_TOO, "More", "SUPPORT"),), options=pool)
    pooled.administration.add(ADMIN, MappingDraft(other, {"password": "secret"}))
    pooled.agent("ana")
    pooled.text("STOP")
    pooled.administration.move_address(ADMIN, OURS, "TW-2")
    with pytest.raises(Clash, match="opted out"):
        pooled.start(single=True)
    pooled.text("START", mapping_id=pooled.ids.mapping("TW-2"))
    pooled.start(single=True)


def test_in_a_conversation_that_began_with_another_pool_an_opt_out_holds(pooled: Stage) -> None:
    pooled.agent("ana")
    pooled.text()
    pooled.route()
    doubtful = pooled.reply()
    pooled.attempt(doubtful)
    pooled.settled(doubtful, Outcome.IN_DOUBT)
    pooled.change(options={"pool": "MG2"})
    pooled.text("STOP")
    assert not pooled.opted_out(scope="MG1")
    with pytest.raises(Clash, match="opted out"):
        pooled.reply(key="k2")
    with pytest.raises(Clash, match="opted out"):
        pooled.attention.resolve(ANA, doubtful, Resolution.RESEND, "no trace")
    pooled.clock.advance(10 * MINUTE)
    then(pooled.idle(), Conversation.Ended, Thread.ConversationEnded)


def test_without_a_pool_consent_is_the_numbers(stage: Stage) -> None:
    stage.change(routes=(Route(OURS, "Support", "SUPPORT"), Route(OURS_TOO, "More", "SUPPORT")))
    stage.text("STOP", ours=OURS_TOO)
    assert stage.opted_out(scope=OURS_TOO)
    assert not stage.opted_out(scope=OURS)


# ── who answers: provider or Parley, never both ────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["STOP", "START", "HELP"])
def test_what_the_provider_acted_on_parley_never_answers(answering: Stage, word: str) -> None:
    if word == "START":
        answering.text("STOP", keyword="STOP")
    answering.text(word, keyword=word)
    assert answering.automatic() == []


@pytest.mark.parametrize("word", ["STOP", "START", "HELP"])
def test_parley_is_silent_where_the_provider_answers(stage: Stage, word: str) -> None:
    stage.text("STOP" if word == "START" else "HELP")
    stage.text(word)
    assert stage.automatic() == []


def test_parley_answers_where_the_provider_does_not(answering: Stage) -> None:
    then(answering.text("STOP"), Message.Received, Thread.Created, Consent.Created, *ANSWER)
    then(answering.text("START"), Message.Received, Consent.OptedIn, *ANSWER)
    then(answering.text("HELP"), Message.Received, *ANSWER)
    answers = answering.automatic()
    assert [each.purpose for each in answers] == [Purpose.OPTED_OUT, Purpose.OPTED_IN, Purpose.HELP]
    assert [each.text for each in answers] == [DEFAULTS[each.purpose] for each in answers]
    assert [each.exempt for each in answers] == [True, False, False]


def test_only_what_changes_something_is_confirmed(answering: Stage) -> None:
    then(answering.text("START"), Message.Received, Thread.Created)
    answering.text("STOP")
    then(answering.text("STOP"), Message.Received)


def test_who_opted_out_gets_nothing_but_the_one_confirmation(answering: Stage) -> None:
    answering.text("STOP")
    then(answering.text("HELP"), Message.Received)
    assert [each.purpose for each in answering.automatic()] == [Purpose.OPTED_OUT]


def test_answers_have_words_of_ones_own_and_blank_sends_none(answering: Stage) -> None:
    answering.control(notices={Notice.HELP: "Call us", Notice.OPTED_OUT: ""})
    answering.text("HELP")
    answering.text("STOP")
    assert [each.text for each in answering.automatic()] == ["Call us"]


def test_the_answer_in_a_conversation_belongs_to_it_and_is_not_suppressed(answering: Stage) -> None:
    answering.control(suppress_system_messages=True)
    answering.text()
    asked = one(answering.text("HELP"), Message.Requested)
    assert asked.conversation_id == answering.conversation().id
    assert not asked.suppressed


def test_two_robots_stop_after_some_texts_an_hour(answering: Stage) -> None:
    for _ in range(AUTOMATIC_TEXTS_AN_HOUR + 3):
        answering.text("HELP")
    assert len(answering.automatic()) == AUTOMATIC_TEXTS_AN_HOUR
    then(answering.text("STOP"), Message.Received, Consent.Created, *ANSWER)  # this one is owed
    answering.text("START")
    answering.clock.advance(60 * MINUTE)
    then(answering.text("HELP"), Message.Received, *ANSWER)


def test_the_cap_is_each_threads_own(answering: Stage) -> None:
    for _ in range(AUTOMATIC_TEXTS_AN_HOUR + 1):
        answering.text("HELP")
    then(answering.text("HELP", OTHER), Message.Received, Thread.Created, *ANSWER)
    assert answering.automatic()[-1].customer_address == OTHER != CUSTOMER
