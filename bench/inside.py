"""A Parley inside this process, without threads: for measuring and profiling one part alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.scene import MAPPING, NUMBERS, QUEUES, WEBHOOK
from bench.texts import made_up
from bench.webhooks import Text, signed
from domain.administration import MappingDraft
from domain.commands import Actor
from domain.facts import TextReceived
from domain.mapping_settings import Kind, MappingSettings, Route, Status
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN
from workers.process import collect_seldom
from workers.settings import Settings
from workers.wiring import Platform

_ADMIN = Actor("admin", frozenset({"admin"}))
URL = "http://127.0.0.1"
_AT_ONCE = 500


@contextmanager
def opened(folder: Path) -> Iterator[Platform]:
    """A platform on files of its own, with the mapping that texts come by."""
    with opened_with(Settings(data_dir=folder, public_url=URL)) as platform:
        yield platform


@contextmanager
def opened_with(settings: Settings) -> Iterator[Platform]:
    """The same on whatever the settings name, where nothing has been configured yet."""
    collect_seldom()  # as every process of Parley does
    platform = Platform(settings, spooling=False)
    try:
        for code in QUEUES:
            platform.catalogue.put_queue(_ADMIN, code, code.title(), new=True)
        routes = tuple(Route(*each, skill_queue=each[1]) for each in zip(NUMBERS, QUEUES, strict=True))
        mapping = MappingSettings(
            kind=Kind.REST,
            code=MAPPING,
            status=Status.ACTIVE,
            default_country="US",
            provider="twilio",
            credentials={"user_name": ACCOUNT_SID},
            routes=routes,
        )
        platform.mappings.add(_ADMIN, MappingDraft(mapping, {"password": AUTH_TOKEN}))
        yield platform
    finally:
        platform.close()


def fill_log(platform: Platform, texts: Sequence[Text]) -> None:
    """Put texts on the ingress log, as their webhooks would."""
    facts = [_fact(platform, each) for each in texts]
    for start in range(0, len(facts), _AT_ONCE):
        platform.ingress.accept(facts[start : start + _AT_ONCE])


def _fact(platform: Platform, text: Text) -> TextReceived:
    _, body = signed(URL + WEBHOOK, text.form())
    return TextReceived(
        key=platform.ids.thread(text.ours, text.customer),
        mapping_id=platform.ids.mapping(MAPPING),
        scope=f"twilio:{ACCOUNT_SID}",
        provider_message_id=text.sid,
        our_address=text.ours,
        customer_address=text.customer,
        text=text.body,
        media=(),
        keyword=None,
        raw=body.decode(),
    )


def ingest_all(platform: Platform) -> None:
    """Ingest whatever is on the log, one partition after the other."""
    for partition in range(platform.ingress.partitions):
        worker = platform.ingest(partition)
        while worker.step():
            pass


def project_all(platform: Platform) -> None:
    """Show the views whatever is in the store."""
    worker = platform.projector()
    while worker.step():
        pass


def post_all(platform: Platform, series: str, count: int) -> None:
    """Post webhooks to the web application itself, without a server between."""
    client = platform.app(list).test_client()
    for each in made_up(count, series):
        headers, body = signed(URL + WEBHOOK, each.form())
        answer = client.post(WEBHOOK, base_url=URL, headers=headers, data=body)
        if answer.status_code != 200:
            raise RuntimeError(f"a webhook was answered {answer.status}")
