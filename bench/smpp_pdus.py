"""Generated PDUs against two codecs that others wrote, and damaged ones: many of them.

python -m bench.smpp_pdus --count 1000000
"""

import argparse
import sys
import time
from random import Random

from tests.adapters.smpp.damage import survive
from tests.adapters.smpp.generated import pdus
from tests.adapters.smpp.other_codecs import agree_with_node_smpp, agree_with_pdu3
from tests.servers.node import node_modules

_BATCH = 10_000


def main() -> None:
    """Stop with an AssertionError at the first PDU that is not read or written alike."""
    parser = argparse.ArgumentParser(prog="python -m bench.smpp_pdus", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many PDUs (default: a million)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other PDUs (default: 1)")
    given = parser.parse_args()
    modules = node_modules()
    if modules is None:
        sys.exit("No node-smpp: install Node.js with npm.")
    random, began, done = Random(given.seed), time.monotonic(), 0
    while done < given.count:
        batch = list(pdus(random, min(_BATCH, given.count - done)))
        agree_with_pdu3(batch)
        agree_with_node_smpp(batch, modules)
        outcome = survive(random, len(batch))
        done += len(batch)
        print(
            f"{done} agree with smpp.pdu3 and node-smpp; of as many damaged the last {len(batch)}: "
            f"{outcome.refused} refused, {outcome.read} read, slowest {outcome.slowest * 1000:.1f} ms, "
            f"{outcome.growth} blocks of memory left; {time.monotonic() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
