"""Every projection there is."""

from database.database import Database
from projections.configuration import Configuration
from projections.deadlines import Deadlines
from projections.desk import Desk
from projections.history import History
from projections.lanes import Lanes
from projections.projection import Projection
from projections.routing import Routing
from projections.statistics import Statistics
from projections.views import Views, check_views, make_views

ALL: tuple[type[Projection], ...] = (
    Configuration,
    History,
    Desk,
    Routing,
    Deadlines,
    Lanes,
    Statistics,
)


def migrate_views(database: Database) -> None:
    """Make every projection's tables, or find them there. To be called once, before anybody opens them."""
    make_views(database, ALL)


def open_views(database: Database) -> Views:
    """Every projection's views. Raises ValueError when they have not been migrated."""
    check_views(database, ALL)
    return Views(database, ALL)
