"""Every projection there is."""

from pathlib import Path

from projections.configuration import Configuration
from projections.deadlines import Deadlines
from projections.desk import Desk
from projections.history import History
from projections.lanes import Lanes
from projections.projection import Projection
from projections.routing import Routing
from projections.statistics import Statistics
from projections.views import Views

ALL: tuple[type[Projection], ...] = (
    Configuration,
    History,
    Desk,
    Routing,
    Deadlines,
    Lanes,
    Statistics,
)


def open_views(path: Path) -> Views:
    """The views' file with every projection, made where it is missing."""
    return Views(path, ALL)
