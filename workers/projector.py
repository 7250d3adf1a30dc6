"""The projector: lets every projection see the store's events, in order."""

from domain.ports import EventStore
from projections.views import Views

BATCH = 500
"""Events in one transaction."""


class Projector:
    """Fills the views. Two of them do no harm: events seen before are passed over."""

    name = "projector"
    pace = 0.004

    def __init__(self, views: Views, store: EventStore) -> None:
        self._views = views
        self._store = store

    def step(self) -> bool:
        """Show the projections at most one batch of events."""
        recorded = self._store.read(min(self._views.positions().values()), BATCH)
        if recorded:
            self._views.apply(self._views.projections, recorded)
        return bool(recorded)

    def wait(self, timeout: float) -> None:
        self._store.wait(timeout)
