"""Handing one message over: the carriers, and what each answer means.

A provider only raises; what that means for the message is decided here, once for all providers.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.accounts import Accounts
from domain.errors import FieldError
from domain.facts import Outcome, SendSettled
from domain.mappings import Mapping
from domain.media_links import MediaLinks
from domain.messages import Message
from domain.ports import Clock
from domain.providers import (
    Account,
    Carrier,
    Handover,
    Misconfigured,
    NotTaken,
    OptedOut,
    Option,
    OptionValue,
    OutboundMessage,
    Provider,
    Rejected,
    SendError,
)

log = logging.getLogger(__name__)

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=2)
DEFAULT_SEGMENTS_PER_SECOND = 1.0


@dataclass(frozen=True)
class Line:
    """A mapping's open carrier, with what it was opened for."""

    account: Account
    carrier: Carrier
    scope: str
    can_find: bool  # the provider's records can be looked up
    segments_per_second: float = DEFAULT_SEGMENTS_PER_SECOND  # the rate of each of the mapping's numbers


@dataclass(frozen=True)
class Attempt:
    """One attempt whose intent has been recorded."""

    thread_id: UUID
    line: Line
    message: OutboundMessage
    send_by: datetime


class Sender:
    """Opens carriers and hands messages over, once each."""

    def __init__(
        self, accounts: Accounts, providers: MappingOf[str, Provider], links: MediaLinks, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._providers = providers
        self._links = links
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[UUID, Line] = {}

    def line(self, our_address: str, mapping_id: UUID) -> Line:
        """The carrier of the mapping that has our address now, else of this one; opened anew when its
        account changed. Raises NotFound.
        """
        mapping, account = self._accounts.carrying(our_address, mapping_id)
        return self._line(mapping, account)

    def line_of(self, mapping: Mapping) -> Line:
        """The carrier of a mapping, as `line` finds it."""
        return self._line(mapping, self._accounts.of(mapping))

    def keeps_connections(self, mapping: Mapping) -> bool:
        """Whether a mapping's carrier may have standing connections."""
        provider = self._providers.get(mapping.settings.provider_name)
        return provider is not None and provider.keeps_connections

    def connections(self) -> dict[str, tuple[bool, str]]:
        """By mapping, whether it has a standing connection that works, and how they all are, for people."""
        with self._lock:
            lines = list(self._lines.values())
        kept = {each.account.code: each.carrier for each in lines if each.carrier.connections()}
        return {code: (carrier.ready(), "; ".join(carrier.connections())) for code, carrier in kept.items()}

    def _line(self, mapping: Mapping, account: Account) -> Line:
        with self._lock:
            line = old = self._lines.get(mapping.id)
            if line is None or line.account != account:  # what else has changed needs no new connection
                line = self._open(account, mapping.settings.provider_name)
                self._lines[mapping.id] = line
        if old is not None and old is not line:
            old.carrier.close()
        return line

    def _open(self, account: Account, provider_name: str) -> Line:
        provider = self._providers.get(provider_name)
        if provider is None:
            problem = FieldError("provider", f"“{provider_name}” is not installed here")
            return Line(account, _OutOfOrder(problem), provider_name, can_find=False)
        missing = provider.missing_credentials(account)
        if missing:
            problem = FieldError(f"credentials.{missing[0]}", f"is missing on mapping {account.code}")
            return Line(account, _OutOfOrder(problem), provider_name, can_find=False)
        return Line(
            account,
            provider.open(account),
            provider.scope(account),
            provider.can_find,
            segments_per_second(account.options, provider.options),
        )

    def outbound(self, message: Message, attempt: int, now: datetime) -> OutboundMessage:
        """What the provider is given for an attempt."""
        return OutboundMessage(
            message_id=message.id,
            attempt=attempt,
            our_address=message.our_address,
            customer_address=message.customer_address,
            text=message.text,
            media_urls=tuple(self._links.url(media_id, now) for media_id in message.media_ids),
            valid_for=max(1, int((message.expires_at - now).total_seconds())),
        )

    def send(self, attempts: Sequence[Attempt]) -> Iterator[list[SendSettled]]:
        """Hand messages over that all go by one line; what came of them, those together that are known
        together. Raises nothing.
        """
        now = self._clock.now()
        in_time = {each.message.message_id: each for each in attempts if now < each.send_by}
        if len(in_time) < len(attempts):
            # A new owner of the lane may believe by now that these attempts never started.
            late = [each for each in attempts if each.message.message_id not in in_time]
            words = "its turn came too late"
            yield [settled(each, Outcome.POSTPONED, detail=words, retry_at=now) for each in late]
        if in_time:
            carrier = attempts[0].line.carrier
            for some in carrier.send_all([each.message for each in in_time.values()]):
                yield [self._settled(in_time[message.message_id], result) for message, result in some]

    def _settled(self, attempt: Attempt, result: Handover | Exception) -> SendSettled:
        match result:
            case Handover(provider_message_id=message_id):
                return settled(attempt, Outcome.ACCEPTED, provider_message_id=message_id)
            case NotTaken(retry_after=asked):
                retry_at = self._clock.now() + _pause(attempt.message.attempt, asked)
                return settled(attempt, Outcome.POSTPONED, error=result, retry_at=retry_at)
            case OptedOut():
                return settled(attempt, Outcome.OPTED_OUT, error=result)
            case Rejected():
                return settled(attempt, Outcome.REJECTED, error=result)
            case SendError():
                return settled(attempt, Outcome.IN_DOUBT, error=result)
        # A provider's bug says nothing about whether the message went.
        log.error("message %s: the provider's carrier failed", attempt.message.message_id, exc_info=result)
        words = f"{type(result).__name__} in the provider's carrier"
        return settled(attempt, Outcome.IN_DOUBT, detail=words)

    def close(self) -> None:
        """Close every carrier."""
        with self._lock:
            for line in self._lines.values():
                line.carrier.close()
            self._lines.clear()


class _OutOfOrder(Carrier):
    """Stands in where a mapping was fit to send when it was activated, and is not any more."""

    def __init__(self, problem: FieldError) -> None:
        self._problem = problem

    def send(self, message: OutboundMessage) -> Handover:
        raise Misconfigured(f"{self._problem.field} {self._problem.message}")

    def check(self) -> list[FieldError]:
        return [self._problem]


def settled(
    attempt: Attempt,
    outcome: Outcome,
    *,
    provider_message_id: str | None = None,
    error: SendError | None = None,
    detail: str = "",
    retry_at: datetime | None = None,
    reconciled: bool = False,
) -> SendSettled:
    """The fact that an attempt came to this."""
    return SendSettled(
        key=attempt.thread_id,
        message_id=attempt.message.message_id,
        attempt=attempt.message.attempt,
        outcome=outcome,
        scope=attempt.line.scope,
        provider_message_id=provider_message_id,
        error_code=error.code if error else None,
        detail=error.detail if error else detail,
        retry_at=retry_at,
        reconciled=reconciled,
    )


def segments_per_second(given: MappingOf[str, OptionValue], declared: Sequence[Option]) -> float:
    """The rate of each of a mapping's numbers: its own, else what its provider's option has by default."""
    usual = next((each.default for each in declared if each.name == "segments_per_second"), None)
    value = given.get("segments_per_second", usual)
    return float(value) if isinstance(value, int | float) else DEFAULT_SEGMENTS_PER_SECOND


def _pause(attempt: int, asked: float | None) -> timedelta:
    """How long to wait before the next attempt: doubling, or longer when the provider asked for it."""
    doubled = min(LONGEST_RETRY, FIRST_RETRY * (1 << min(attempt - 1, 10)))
    return max(doubled, timedelta(seconds=asked or 0))
