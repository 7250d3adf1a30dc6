"""Fetching: pictures and files of inbound messages are copied in, from their provider only."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from domain.accounts import Accounts
from domain.errors import NotFound
from domain.facts import MediaFetched
from domain.ids import Identities
from domain.ports import Clock, Ingress, Media
from domain.providers import Provider, Rejected, SendError
from projections.history_queries import HistoryQueries, WantedMedia
from projections.views import Views

log = logging.getLogger(__name__)

TRIES = 5
FIRST_PAUSE = timedelta(seconds=5)
BATCH = 10


class Fetching:
    """Copies media in; what cannot be had is noted with the reason."""

    name = "fetching"
    pace = 0.1

    def __init__(
        self,
        views: Views,
        ingress: Ingress,
        accounts: Accounts,
        providers: dict[str, Provider],
        media: Media,
        ids: Identities,
        clock: Clock,
    ) -> None:
        self._views = views
        self._history = HistoryQueries(views)
        self._ingress = ingress
        self._accounts = accounts
        self._providers = providers
        self._media = media
        self._ids = ids
        self._clock = clock
        self._tries: dict[tuple[UUID, int], tuple[int, datetime]] = {}

    def step(self) -> bool:
        """Fetch at most a batch of what is wanted and due."""
        now = self._clock.now()
        wanted = self._history.wanted_media(BATCH + len(self._tries))
        present = {(each.message_id, each.index) for each in wanted}
        self._tries = {key: value for key, value in self._tries.items() if key in present}
        due = [each for each in wanted if self._next_try(each, now) <= now][:BATCH]
        for each in due:
            self._fetch(each)
        return bool(due)

    def wait(self, timeout: float) -> None:
        self._views.wait(timeout)

    def _next_try(self, wanted: WantedMedia, now: datetime) -> datetime:
        return self._tries.get((wanted.message_id, wanted.index), (0, now))[1]

    def _fetch(self, wanted: WantedMedia) -> None:
        key = (wanted.message_id, wanted.index)
        tries = self._tries.get(key, (0, self._clock.now()))[0] + 1
        # Until the views show it, it is not asked for again so soon.
        self._tries[key] = (tries, self._clock.now() + FIRST_PAUSE * 2**tries)
        try:
            mapping, account = self._accounts.by_id(wanted.mapping_id)
            content = self._provider(mapping.settings.provider_name).fetch_media(account, wanted.url)
        except (Rejected, NotFound) as error:
            self._report(wanted, None, "", 0, str(error))
        except SendError as error:
            self._give_up_at_last(wanted, tries, error.detail)
        except Exception as error:  # a bug, or an account without what it needs, holds no others up
            log.exception("a picture or file of message %s cannot be fetched", wanted.message_id)
            self._give_up_at_last(wanted, tries, f"{type(error).__name__} at the provider's")
        else:
            media_id = self._ids.caused(wanted.message_id, f"media:{wanted.index}")
            self._media.put(media_id, wanted.customer_id, content.content_type, content.content)
            self._report(wanted, media_id, content.content_type, len(content.content), "")

    def _give_up_at_last(self, wanted: WantedMedia, tries: int, detail: str) -> None:
        if tries >= TRIES:
            self._report(wanted, None, "", 0, f"given up after {tries} tries: {detail}")

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            raise Rejected(f"the provider “{name}” is not installed here")
        return self._providers[name]

    def _report(
        self, wanted: WantedMedia, media_id: UUID | None, content_type: str, size: int, problem: str
    ) -> None:
        fact = MediaFetched(
            key=wanted.thread_id,
            message_id=wanted.message_id,
            index=wanted.index,
            media_id=media_id,
            content_type=content_type,
            size=size,
            problem=problem,
        )
        self._ingress.accept([fact])
