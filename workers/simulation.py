"""The demo's carrier reports: receipts of the simulated network become facts."""

from adapters.providers.simulator import SimulatedNetwork
from domain.ports import Ingress


class SimulatedReceipts:
    """Carries the simulated handsets' receipts back."""

    name = "simulated-receipts"
    pace = 0.02

    def __init__(self, network: SimulatedNetwork, ingress: Ingress) -> None:
        self._network = network
        self._ingress = ingress

    def step(self) -> bool:
        """Put the receipts that have arrived on the log."""
        facts = self._network.collect()
        if facts:
            self._ingress.accept(facts)
        return bool(facts)

    def wait(self, timeout: float) -> None:
        self._network.wait(timeout)
