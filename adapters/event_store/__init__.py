"""The event store of the embedded shape: one SQLite file, `store.db`.

`store` fills the port. `database` opens the file and `tables` lists what is in it; `recorder` writes and
reads rows; `mapper` turns events into rows and back, encrypting what the schemas say. `parking`, `leases`
and `media` keep what belongs to the same transactions but is no event.
"""
