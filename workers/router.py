"""The router: gives waiting conversations to agents, and takes ended ones out of their hands.

One process routes at a time. What it sees may be a moment old; the aggregates refuse what is no longer so.
"""

from uuid import UUID

from domain.agents import Agent
from domain.ids import Identities
from domain.ports import Clock, EventStore
from domain.routing import Routing, choose
from projections.routing import RoutingQueries
from projections.views import Views
from workers.worker import HeldLease

BATCH = 200
"""Heads of the queues looked at in one step."""


class Router:
    """Matches conversations with agents."""

    name = "router"
    pace = 0.02

    def __init__(
        self,
        views: Views,
        store: EventStore,
        routing: Routing,
        ids: Identities,
        clock: Clock,
        lease: HeldLease,
    ) -> None:
        self._views = views
        self._view = RoutingQueries(views)
        self._store = store
        self._routing = routing
        self._ids = ids
        self._clock = clock
        self._lease = lease

    def step(self) -> bool:
        """Release what has ended, then match what waits."""
        if self._lease.get() is None:
            return False
        released = self._view.to_release()
        for login, conversation_id in released:
            self._routing.release(login, conversation_id)
        return self._match() > 0

    def wait(self, timeout: float) -> None:
        self._views.wait(timeout)

    def _match(self) -> int:
        agents = self._agents()
        now = self._clock.now()
        # Only queues that somebody can take from now: the others may be as long as they like.
        queues = {queue for agent in agents if agent.why_busy(now) is None for queue in agent.settings.skills}
        matched = 0
        for waiting in self._view.waiting(queues, BATCH):
            match = choose(waiting, agents, self._clock.now())
            if match is None:
                continue
            if self._routing.assign(match).result:
                matched += 1
                agents = self._agents()
        return matched

    def _agents(self) -> list[Agent]:
        ids: set[UUID] = {self._ids.agent(login) for login in self._view.agent_logins()}
        found = self._store.load(ids).values()
        return [each for each in found if isinstance(each, Agent) and not each.removed]
