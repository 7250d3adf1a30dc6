"""The fault run: a cluster of Parley under load, killed, frozen and cut off again and again, and judged.

    make faults CYCLES=500 SEED=1

`cluster` starts the processes; `load` and `agents` are those who use them, `provider` the provider with its
ledger; `plan` says which faults come when, `inject` brings them about, `points` names where processes may
die, `service` is a process that can. `evidence`, `opening`, `reading`, `folds` and `checker` judge, and
import nothing of the platform; `planted` proves that they would notice.

Rule: breaks the platform from outside and judges it from outside; the platform knows nothing of it.
"""
