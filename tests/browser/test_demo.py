"""The demo as somebody in front of a browser has it: only what is visible is clicked and typed."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, expect

from domain.segments import measure
from tests.browser.conftest import Shoot
from workers.demo_cast import HANDSETS
from workers.process import Process
from workers.settings import Settings

SECOND = 1000.0  # milliseconds
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>bold</b> \u202egnp.exe \u200b😀"


def handset(page: Page, customer: str, number: str = "Support") -> Locator:
    """Take up a customer's phone; its texts."""
    page.get_by_label("Phone", exact=True).select_option(customer)
    page.get_by_label("Texts", exact=True).select_option(label=_label(page, number))
    return page.get_by_role("list", name="Texts on the handset")


def _label(page: Page, number: str) -> str:
    options = page.get_by_label("Texts", exact=True).locator("option").all_text_contents()
    return next(each for each in options if each.startswith(number))


def text(page: Page, words: str) -> None:
    """The customer writes."""
    page.get_by_label("Text message").fill(words)
    page.locator("#handset-form").get_by_role("button", name="Send").click()


def sign_in(page: Page, name: str = "Ana Silva", status: str = "Available") -> None:
    page.get_by_role("button", name=f"Sign in as {name}").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    button = page.get_by_role("button", name=status, exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")


def open_conversation(page: Page, customer: str) -> Locator:
    """Choose a conversation in hand; its texts."""
    page.get_by_role("list", name="Conversations").get_by_role("button", name=customer).click()
    expect(page.get_by_role("heading", name=customer)).to_be_visible()
    return page.get_by_role("list", name="Texts of this conversation")


def reply(page: Page, words: str) -> None:
    page.get_by_role("textbox", name="Reply").fill(words)
    page.get_by_role("textbox", name="Reply").press("Enter")


def end(page: Page, work_code: str = "Solved") -> None:
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_label("Work code").select_option(label=work_code)
    page.get_by_role("button", name="End conversation").click()
    expect(page.get_by_text("This conversation has ended: an agent ended it.")).to_be_visible()


def test_a_whole_conversation(page: Page, shoot: Shoot) -> None:
    shoot(page, "1-start")
    customer = "+12025550102"
    phone = handset(page, customer)
    text(page, "Hello, my parcel is late.")
    expect(phone.get_by_text("Hello, my parcel is late.")).to_be_visible(timeout=SECOND)
    sign_in(page)
    shoot(page, "2-available")
    log = open_conversation(page, customer)
    expect(log.get_by_text("Hello, my parcel is late.")).to_be_visible()
    text(page, "It is order 4712.")
    expect(log.get_by_text("It is order 4712.")).to_be_visible(timeout=SECOND)
    reply(page, "Hello, Ana here. It arrives tomorrow.")
    expect(phone.get_by_text("It arrives tomorrow.")).to_be_visible()
    answered = log.get_by_role("listitem").filter(has_text="It arrives tomorrow.")
    expect(answered.get_by_text("Delivered")).to_be_visible()
    expect(page.get_by_role("textbox", name="Reply")).to_have_value("")
    shoot(page, "3-conversation")
    page.get_by_role("button", name="End", exact=True).click()
    shoot(page, "4-end")
    page.get_by_role("button", name="Cancel").click()
    end(page)
    shoot(page, "5-ended")
    page.locator(".happened").get_by_role("link", name="Replay").click()
    expect(page.get_by_role("heading", name=f"Conversation with {customer}")).to_be_visible()
    timeline = page.get_by_role("list")
    for words in ("Hello, my parcel is late.", "It arrives tomorrow.", "delivered", "SOLVED"):
        expect(timeline.get_by_text(words).first).to_be_visible()
    shoot(page, "6-replay")


def test_on_a_phone_handset_and_desk_take_turns(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    customer = "+12025550103"
    handset(page, customer)
    text(page, "Do you open on Sundays?")
    page.get_by_role("button", name="Desk", exact=True).click()
    sign_in(page)
    open_conversation(page, customer)
    expect(page.get_by_role("list", name="Conversations")).to_be_hidden()
    reply(page, "Yes, from ten to four.")
    page.get_by_role("button", name="Handset", exact=True).click()
    expect(
        page.get_by_role("list", name="Texts on the handset").get_by_text("from ten to four")
    ).to_be_visible()
    page.get_by_role("button", name="Desk", exact=True).click()
    end(page)
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("heading", name="Conversations")).to_be_visible()


def test_stop_locks_the_box_and_start_opens_it(page: Page, shoot: Shoot) -> None:
    customer = "+12025550102"
    handset(page, customer, "Sales")
    text(page, "Who is this?")
    sign_in(page)
    open_conversation(page, customer)
    box = page.get_by_role("textbox", name="Reply")
    box.fill("half a sentence")
    page.get_by_role("button", name="STOP").click()
    expect(page.get_by_text("This customer has opted out")).to_be_visible()
    expect(box).not_to_be_editable()
    expect(box).to_have_value("half a sentence")
    shoot(page, "7-opted-out")
    page.get_by_role("button", name="START").click()
    expect(box).to_be_editable()
    expect(box).to_have_value("half a sentence")
    box.fill("")
    end(page)


def test_what_may_not_have_arrived_waits_for_the_agent(page: Page, shoot: Shoot) -> None:
    customer = "+12025550191"
    phone = handset(page, customer, "Sales")
    text(page, "Is my order ready?")
    sign_in(page)
    log = open_conversation(page, customer)
    reply(page, "Yes, it is.")
    doubtful = log.get_by_role("listitem").filter(has_text="Yes, it is.")
    expect(doubtful.get_by_text("May not have arrived")).to_be_visible()
    expect(phone.get_by_text("Yes, it is.")).to_be_hidden()
    shoot(page, "8-in-doubt")
    doubtful.get_by_role("button", name="Mark sent").click()
    page.get_by_label("Why").fill("they rang us")
    page.get_by_role("button", name="Confirm").click()
    expect(doubtful.get_by_text("Sent", exact=True)).to_be_visible()
    end(page)


def test_a_reply_tried_again_goes_out_once(page: Page) -> None:
    customer = "+12025550103"
    phone = handset(page, customer, "Sales")
    text(page, "What does it cost?")
    sign_in(page)
    log = open_conversation(page, customer)
    answers = re.compile("/messages$")
    # The server gets it, the answer is lost on the way back.
    page.route(answers, lambda route: (route.fetch(), route.abort()))
    reply(page, "Twenty dollars.")
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    expect(page.get_by_role("textbox", name="Reply")).to_have_value("Twenty dollars.")
    page.unroute(answers)
    page.get_by_role("textbox", name="Reply").press("Enter")
    expect(page.get_by_text("The server cannot be reached")).to_be_hidden()
    expect(phone.get_by_text("Twenty dollars.")).to_be_visible()
    expect(log.get_by_text("Twenty dollars.")).to_have_count(1)
    expect(phone.get_by_text("Twenty dollars.")).to_have_count(1)
    end(page)


def test_a_hostile_text_is_only_ever_text(page: Page) -> None:
    customer = "+12025550103"
    phone = handset(page, customer)
    text(page, HOSTILE)
    expect(phone.locator(".outbound .bubble").last).to_have_text(HOSTILE)
    sign_in(page)
    log = open_conversation(page, customer)
    expect(log.locator(".inbound .bubble").last).to_have_text(HOSTILE)
    reply(page, HOSTILE)
    expect(log.locator(".outbound .bubble").last).to_have_text(HOSTILE)
    end(page)
    page.locator(".happened").get_by_role("link", name="Replay").click()
    expect(page.get_by_role("listitem").get_by_text("<b>bold</b>").first).to_be_visible()
    assert "owned" not in page.title()
    assert page.locator("img, b").count() == 0


def test_a_conversation_is_started_and_a_problem_keeps_what_was_typed(page: Page, shoot: Shoot) -> None:
    sign_in(page, status="Away")
    page.get_by_role("button", name="New conversation").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("From").select_option(label="Sales")
    dialog.get_by_label("Customer's number").fill("12")
    dialog.get_by_label("Text", exact=True).fill("Your order is ready.")
    dialog.get_by_role("button", name="Send").click()
    number = dialog.get_by_label("Customer's number")
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(dialog.locator("#start-customer-wrong")).to_contain_text("phone number")
    expect(dialog.get_by_label("Text", exact=True)).to_have_value("Your order is ready.")
    shoot(page, "9-start")
    dialog.get_by_label("Customer's number").fill("+12025550142")
    dialog.get_by_role("button", name="Send").click()
    log = page.get_by_role("list", name="Texts of this conversation")
    expect(log.get_by_role("listitem").get_by_text("Delivered").first).to_be_visible()
    end(page)


def test_a_missed_conversation_is_answered_or_dismissed(page: Page) -> None:
    sign_in(page, status="Away")
    missed = page.get_by_role("list", name="Missed and refused")
    expect(missed.get_by_text("+12025550117")).to_be_visible()
    missed.get_by_role("button", name="Write back to +12025550117").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Customer's number")).to_have_value("+12025550117")
    dialog.get_by_role("button", name="Cancel").click()
    missed.get_by_role("button", name="Dismiss +12025550117").click()
    expect(missed.get_by_text("+12025550117")).to_be_hidden()


def test_a_conversation_is_transferred(page: Page, shoot: Shoot) -> None:
    customer = "+12025550102"
    handset(page, customer)
    text(page, "I have a question about my invoice.")
    sign_in(page)
    open_conversation(page, customer)
    page.get_by_role("button", name="Transfer", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("To", exact=True).select_option(label="Billing")
    dialog.get_by_role("button", name="Transfer").click()
    expect(page.get_by_text("This conversation is no longer in your hands.")).to_be_visible()
    expect(page.get_by_role("list", name="Conversations").get_by_role("button", name=customer)).to_be_hidden()


def test_a_conversation_that_comes_back_has_all_its_texts(page: Page) -> None:
    customer = "+12025550103"
    handset(page, customer)
    text(page, "My order number is 17.")
    sign_in(page)
    log = open_conversation(page, customer)
    reply(page, "Thank you.")
    expect(log.locator("[data-status=delivered]", has_text="Thank you.")).to_be_visible()
    page.get_by_role("button", name="Offline", exact=True).click()
    page.get_by_role("button", name="Return them to their queues").click()
    expect(page.get_by_text("This conversation is no longer in your hands.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_role("button", name="Available", exact=True).click()
    log = open_conversation(page, customer)
    expect(log.get_by_text("My order number is 17.")).to_be_visible()
    expect(log.get_by_text("Thank you.")).to_be_visible()
    end(page)


def test_wrap_up_is_counted_down_and_cut_short(page: Page, shoot: Shoot) -> None:
    customer = "+12025550102"
    sign_in(page, "Ben Okoro")
    open_conversation(page, customer)  # what Ana transferred
    page.get_by_role("button", name="Offline", exact=True).click()
    expect(page.get_by_text("You still have a conversation.")).to_be_visible()
    page.get_by_role("button", name="Stay").click()
    end(page, "Needs follow-up")
    expect(page.get_by_text("Wrap-up")).to_be_visible()
    shoot(page, "11-wrap-up")
    page.get_by_role("button", name="Ready").click()
    expect(page.get_by_text("Wrap-up")).to_be_hidden()
    page.get_by_role("button", name="Offline", exact=True).click()
    expect(page.get_by_role("button", name="Offline", exact=True)).to_have_attribute("aria-pressed", "true")


def test_an_analyst_replays_what_happened_yesterday(page: Page, shoot: Shoot) -> None:
    page.get_by_role("button", name="Sign in as Alex Analyst").click()
    shoot(page, "10-analyst")
    page.get_by_role("link", name="Replay the conversation with +12025550191").first.click()
    expect(page.get_by_role("listitem").get_by_text("in doubt").first).to_be_visible()


def test_a_restart_of_the_server_loses_and_doubles_nothing(browser: Browser, tmp_path: Path) -> None:
    process = Process(Settings(data_dir=tmp_path, port=0), demo=True)
    process.start()
    port = urlsplit(process.url).port or 0
    page = browser.new_page(base_url=process.url)
    page.goto("/")
    sign_in(page)
    log = open_conversation(page, HANDSETS[0])
    reply(page, "before")
    expect(log.locator("[data-status=delivered] .bubble").last).to_have_text("before")
    process.stop()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    reply(page, "meanwhile")
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    again = Process(Settings(data_dir=tmp_path, port=port), demo=True)
    again.start()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=10 * SECOND)
    page.get_by_role("textbox", name="Reply").press("Enter")
    expect(log.locator("[data-status=delivered] .bubble").last).to_have_text("meanwhile")
    text(page, "afterwards")
    said = ["before", "meanwhile", "afterwards"]
    expect(log.get_by_text("afterwards")).to_be_visible()
    bubbles = log.locator(".bubble").all_inner_texts()
    assert [each for each in bubbles if each in said] == said
    page.context.close()
    again.stop()


def test_the_counter_counts_as_the_server_does(page: Page) -> None:
    samples = ["", "a" * 160, "a" * 161, "[" * 80, "é€" * 77, "“" * 70, "😀" * 36, "a\n" * 200]
    counted: list[dict[str, Any]] = page.evaluate(
        "async (texts) => texts.map((await import('/static/segments.js')).measure)", samples
    )
    for sample, found in zip(samples, counted, strict=True):
        expected = asdict(measure(sample))
        assert (found["encoding"], found["segments"]) == (expected["encoding"], expected["segments"]), sample
        assert (found["left"], found["culprit"]) == (expected["units_left_in_last"], expected["culprit"]), (
            sample
        )
