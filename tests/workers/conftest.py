"""Workers are tested on the flow tests' stage, where they need a whole platform."""

from tests.flows.conftest import ana, stage

__all__ = ["ana", "stage"]
