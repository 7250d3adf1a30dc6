"""The services: what a process may be, and which workers each has."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial

from workers.grouping import GroupIngest
from workers.presence import DesksOpen
from workers.simulation import SimulatedReceipts
from workers.spooling import SpoolDrain
from workers.wiring import Platform
from workers.worker import Worker

Maker = Callable[[], Worker]


class Service(StrEnum):
    """A process of the cluster. There may be any number of each: where only one may act, a lease says who."""

    API = "api"
    INGEST = "ingest"
    RELAY = "relay"
    PROJECT = "project"
    ROUTE = "route"
    DISPATCH = "dispatch"
    DELIVER = "deliver"
    TIMERS = "timers"


SPOOLING = frozenset({Service.API, Service.DISPATCH})
"""Those that take in facts which nobody would tell again."""


def makers(platform: Platform, service: Service | None = None, *, grouped: bool = True) -> list[Maker]:
    """How to make the workers of a service; of all of them in one process, when none is named.

    In the cluster, processes share the partitions as a group; with `grouped=False` this one ingests them all.
    """
    wanted = list(Service) if service is None else [service]
    made = [maker for each in wanted if each in _MAKERS for maker in _MAKERS[each](platform)]
    if Service.INGEST in wanted:
        made += _ingest(platform, grouped=grouped and platform.settings.is_cluster)
    if platform.storage.spool is not None:
        made += _spooling(platform)
    return made


def _api(platform: Platform) -> list[Maker]:
    return [lambda: DesksOpen(platform.presence, platform.clock)]


def _ingest(platform: Platform, *, grouped: bool) -> list[Maker]:
    if grouped:
        return [partial(GroupIngest, platform.join, platform.ingest)]
    return [partial(platform.ingest, each) for each in range(platform.log.partitions)]


def _dispatch(platform: Platform) -> list[Maker]:
    made: list[Maker] = [platform.standing, platform.dispatch, platform.reconcile]
    if platform.demo:
        made.append(lambda: SimulatedReceipts(platform.network, platform.ingress))
    return made


def _relay(platform: Platform) -> list[Maker]:
    return [platform.relay] if platform.settings.is_cluster else []


_MAKERS: dict[Service, Callable[[Platform], list[Maker]]] = {
    Service.API: _api,
    Service.RELAY: _relay,
    Service.PROJECT: lambda platform: [platform.projector],
    Service.ROUTE: lambda platform: [platform.router],
    Service.DISPATCH: _dispatch,
    Service.DELIVER: lambda platform: [platform.fetching],
    Service.TIMERS: lambda platform: [platform.timers, platform.presence_watch, platform.upkeep],
}


def _spooling(platform: Platform) -> list[Maker]:
    spool = platform.storage.spool
    assert spool is not None  # noqa: S101 - for mypy: asked by the caller
    return [
        lambda: SpoolDrain(platform.spooled, spool, platform.clock),
        lambda: platform.spool_leases,
    ]
