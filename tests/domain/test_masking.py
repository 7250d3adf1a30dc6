"""What events may keep of a provider's words."""

import pytest

from domain.facts import MediaFetched, MediaLink, Outcome
from domain.masking import masked
from domain.messages import Message
from tests.domain.given import CUSTOMER, OURS, Stage, one


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ""),
        ("Twilio asks to slow down (HTTP 429)", "Twilio asks to slow down (HTTP 429)"),
        ("error 21211: the file has 5000000 octets", "error 21211: the file has [number] octets"),
        (f"'{CUSTOMER}' is no mobile number", "'[number]' is no mobile number"),
        ("from +1 (415) 555-0123 to 14155550123.", "from [number] to [number]."),
        ("not found: https://user@example.com/2010/Media/ME1?x=1 (404)", "not found: [link] (404)"),
        ("HTTPS://EXAMPLE.COM/+14155550123", "[link]"),
    ],
)
def test_numbers_and_links_are_masked(words: str, expected: str) -> None:
    assert masked(words) == expected


def test_events_keep_a_providers_words_masked(stage: Stage) -> None:
    stage.agent("ana")
    link = MediaLink("https://example.com/1", "image/png")
    received = one(stage.text(media=(link,)), Message.Received)
    stage.route()
    sent = stage.reply()
    stage.attempt(sent)
    events = stage.settled(sent, Outcome.REJECTED, detail=f"{CUSTOMER} cannot be texted from {OURS}")
    assert one(events, Message.Settled).detail == "[number] cannot be texted from [number]"
    gone = MediaFetched(received.thread_id, received.originator_id, 0, None, "", 0, f"{link.url} is gone")
    assert one(stage.ingest(gone), Message.MediaStored).problem == "[link] is gone"
