"""Generated PDUs mean the same to codecs that others wrote; damaged ones do no harm.

`python -m bench.smpp_pdus --count 1000000` does the same with a million.
"""

from random import Random

from tests.adapters.smpp.damage import survive
from tests.adapters.smpp.generated import pdus
from tests.adapters.smpp.other_codecs import agree_with_node_smpp, agree_with_pdu3
from tests.servers import node

_COUNT = 10_000


def test_smpp_pdu3_agrees_both_ways() -> None:
    agree_with_pdu3(list(pdus(Random(1), _COUNT)))


def test_node_smpp_agrees_both_ways() -> None:
    agree_with_node_smpp(list(pdus(Random(2), _COUNT)), node.needed())


def test_damaged_pdus_are_refused_or_read_at_once_and_leave_nothing_behind() -> None:
    outcome = survive(Random(3), _COUNT)
    assert outcome.refused > _COUNT // 4  # else the damage does too little
    assert outcome.read > _COUNT // 4  # ... or too much
    assert outcome.slowest < 1  # seconds of the processor
    assert outcome.growth < _COUNT // 10  # blocks of memory: fewer than any of them kept by each PDU
