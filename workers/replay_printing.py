"""A conversation's timeline laid out: in a terminal for people, as JSON for programs."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.documents import as_of_document, timeline_document
from domain.plain import plain
from domain.replay import AsOf, Entry, Timeline
from domain.replay_words import Kind

_STYLES = {
    Kind.TEXT: "bold",
    Kind.IN_DOUBT: "bold red",
    Kind.REFUSED: "red",
    Kind.UNROUTED: "red",
    Kind.ENDED: "bold cyan",
    Kind.STARTED: "bold cyan",
    Kind.WITHHELD: "dim",
    Kind.ATTEMPT: "dim",
    Kind.RECEIPT: "green",
    Kind.CONSENT: "yellow",
    Kind.CONFIGURATION: "yellow",
}


def timeline_json(timeline: Timeline, moment: datetime | None = None) -> Any:
    """A timeline, or the state as of a moment, as the API answers it: plain data for JSON."""
    document = as_of_document(timeline, moment) if moment else timeline_document(timeline)
    return document.model_dump(mode="json")


def print_timeline(
    timeline: Timeline, console: Console, zone: tzinfo, moment: datetime | None = None
) -> None:
    """Print the configuration then in force and everything that happened, or the state as of a moment."""
    if moment:
        _print_state(timeline.state_at(moment), console, zone)
    else:
        _print_entries(timeline, console, zone)


def _print_entries(timeline: Timeline, console: Console, zone: tzinfo) -> None:
    _print_facts(f"Conversation {timeline.conversation_id}", _configuration(timeline), console)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (f"Time ({zone})", "What", "Who"):
        table.add_column(heading, no_wrap=True)
    table.add_column("", overflow="fold")
    for entry in timeline.entries:
        style = _STYLES.get(entry.kind, "")
        at = entry.at.astimezone(zone)
        when = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"
        what = entry.kind.value.replace("_", " ")
        table.add_row(when, Text(what, style), Text(_shown(entry.who)), Text(_sentence(entry), style))
    console.print(table)


def _print_state(state: AsOf, console: Console, zone: tzinfo) -> None:
    title = f"As of {state.at.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone})"
    conversation = state.conversation
    if conversation is None:
        _print_facts(title, {"state": "not begun"}, console)
        return
    facts = {
        "state": conversation.state,
        "queue": conversation.queue,
        "agent": conversation.agent,
        "outcome": conversation.outcome,
        "ends without a text at": f"{conversation.idle_due_at.astimezone(zone):%H:%M:%S}"
        if conversation.is_open
        else None,
        "customer": "has opted out" if state.opted_out else "may be texted",
    }
    _print_facts(title, facts, console)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (f"Since ({zone})", "Status"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Text", overflow="fold")
    for message in state.messages:
        table.add_row(
            f"{message.created_on.astimezone(zone):%H:%M:%S}", str(message.status), Text(_shown(message.text))
        )
    console.print(table)


def _configuration(timeline: Timeline) -> dict[str, object]:
    terms, control, settings = timeline.terms, timeline.terms.chat_control, timeline.configuration
    route = settings.route(timeline.our_address) if settings else None
    return {
        "mapping": f"{terms.mapping_code}, version {terms.mapping_version}",
        "provider": settings.provider_name if settings else None,
        "number": route.display_name if route else None,
        "delivery": terms.delivery_provider,
        "queue": terms.queue,
        "contact flow": terms.contact_flow,
        "idle timeout": f"{control.idle_timeout_minutes} minutes",
        "system messages": "suppressed" if control.suppress_system_messages else "sent",
        "maximum chats": control.max_chats or "none",
        "options": ", ".join(f"{name}={value}" for name, value in settings.options.items())
        if settings
        else None,
    }


def _print_facts(title: str, facts: Mapping[str, object], console: Console) -> None:
    console.print(Text(title, "bold"))
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        if value not in (None, ""):
            table.add_row(Text(name, "dim"), Text(_shown(str(plain(value)))))
    console.print(table)
    console.print()


def _sentence(entry: Entry) -> str:
    """What happened; below an assignment, everyone who was considered for it."""
    considered = entry.data.get("considered", ())
    lines = [f"  {each['agent']}: {each['verdict']} ({each['idle_seconds']} s idle)" for each in considered]
    return "\n".join(_shown(line) for line in [entry.sentence, *lines])


def _shown(text: str) -> str:
    """Text that anybody may have written, with what would steer a terminal made visible."""
    return "".join(f"\\u{ord(char):04x}" if _steers(char) else char for char in text)


def _steers(char: str) -> bool:
    # Controls, and format characters such as those that turn the direction of writing.
    return char != "\n" and unicodedata.category(char) in ("Cc", "Cf") and char != "\u200d"  # joins emoji
