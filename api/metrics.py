"""Metrics for Prometheus: what was served, and where work waits."""

from collections.abc import Iterable
from contextlib import suppress
from time import perf_counter

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.accounts import Role
from api.auth import allow
from api.ingress import ACCEPTED
from api.services import Services
from domain.errors import Unavailable
from projections.lanes import LaneQueries

metrics = Blueprint("metrics", __name__)

_EXTENSION = "parley_metrics"
_BEGUN = "parley_begun"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)


@metrics.get("/metrics")
@allow(*Role)
def show() -> Response:
    """Everything counted, in Prometheus' text format."""
    registry: CollectorRegistry = current_app.extensions[_EXTENSION]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def register(app: Flask, services: Services) -> None:
    """Count every request of the application."""
    registry = CollectorRegistry()
    registry.register(_State(services))
    app.extensions[_EXTENSION] = registry
    served = Counter("parley_requests", "Requests answered", ("route", "status"), registry=registry)
    accepted = Counter("parley_accepted_facts", "Facts of webhooks made durable", registry=registry)
    took = Histogram(
        "parley_request_seconds", "Until the answer began", ("route",), registry=registry, buckets=_BUCKETS
    )

    @app.before_request
    def begin() -> None:
        request.environ[_BEGUN] = perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.endpoint or "none"
        served.labels(route, response.status_code).inc()
        took.labels(route).observe(perf_counter() - request.environ[_BEGUN])
        accepted.inc(request.environ.get(ACCEPTED, 0))
        return response


class _State(Collector):
    """What is looked up when somebody asks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        """How far ingest and the views are behind, what waits where, and how the parts are.

        What stands on something that is away is left out: the rest is needed most then.
        """
        for look in (self._ingest, self._projections, self._lanes, self._left_over, self._spool):
            with suppress(Unavailable):
                yield from list(look())
        parts = GaugeMetricFamily("parley_part_ok", "1 when the part works", labels=("part",))
        for part in self._services.health():
            parts.add_metric((part.name,), int(part.ok))
        yield parts

    def _ingest(self) -> Iterable[Metric]:
        ingress, store = self._services.ingress, self._services.store
        lag = GaugeMetricFamily("parley_ingest_lag", "Offsets not yet ingested", labels=("partition",))
        for each in range(ingress.partitions):
            lag.add_metric((str(each),), max(0, ingress.end(each) - store.ingested(each)))
        yield lag

    def _projections(self) -> Iterable[Metric]:
        head = self._services.store.head()
        lag = GaugeMetricFamily("parley_projection_lag", "Positions not yet seen", labels=("projection",))
        for name, position in self._services.views.positions().items():
            lag.add_metric((name,), max(0, head - position))
        yield lag

    def _lanes(self) -> Iterable[Metric]:
        lanes = GaugeMetricFamily("parley_lane_messages", "Outbound messages", labels=("lane", "status"))
        for (lane, status), many in LaneQueries(self._services.views).depths().items():
            lanes.add_metric((lane, status), many)
        yield lanes

    def _left_over(self) -> Iterable[Metric]:
        parked = len(self._services.parking.parked())
        yield GaugeMetricFamily("parley_parked_facts", "Facts that wait for a person", parked)
        unmatched = len(self._services.parking.expired_receipts(self._services.clock.now()))
        yield GaugeMetricFamily(
            "parley_unmatched_receipts", "Receipts that matched nothing in time", unmatched
        )

    def _spool(self) -> Iterable[Metric]:
        figures = self._services.spool()
        if figures is None:
            return
        yield GaugeMetricFamily("parley_spool_records", "Facts waiting for Kafka", figures.records)
        yield GaugeMetricFamily("parley_spool_bytes", "What they take", figures.bytes)
        yield GaugeMetricFamily("parley_spool_limit_bytes", "What they may take", figures.limit_bytes)
        waiting = (self._services.clock.now() - figures.oldest).total_seconds() if figures.oldest else 0
        yield GaugeMetricFamily("parley_spool_oldest_seconds", "Since the oldest was accepted", waiting)
        yield GaugeMetricFamily("parley_spool_broken_files", "Set aside unread", len(figures.broken))
