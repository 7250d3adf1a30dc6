"""A provider that speaks to us on standing connections, which a test opens, fills and breaks."""

from typing import ClassVar

from domain.facts import Fact
from domain.ids import Identities
from domain.providers import Account, Carrier, Deliver
from tests.fakes.provider import FakeCarrier, FakeProvider


class StandingCarrier(FakeCarrier):
    """Every connection that is asked for stands at once, unless the far end is `away`."""

    def __init__(self, standing: int, away: bool) -> None:
        super().__init__()
        self.standing = standing
        self.away = away
        self.kept: dict[int, tuple[Identities, Deliver]] = {}

    def connect(self, number: int, ids: Identities, deliver: Deliver) -> None:
        self.kept[number] = (ids, deliver)

    def disconnect(self, number: int) -> None:
        self.kept.pop(number, None)

    def ready(self) -> bool:
        return bool(self.kept) and not self.away

    def connections(self) -> list[str]:
        return ["away" if self.away else "bound" for _ in self.kept]

    def close(self) -> None:
        self.kept.clear()

    def say(self, number: int, fact: Fact) -> None:
        """The far end says something."""
        self.kept[number][1]([fact])


class StandingProvider(FakeProvider):
    """Its carriers have as many connections as the option `window` says."""

    keeps_connections: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[StandingCarrier] = []
        self.away = False

    def open(self, account: Account) -> Carrier:
        carrier = StandingCarrier(int(account.options.get("window", 1)), self.away)
        self.opened.append(carrier)
        return carrier
