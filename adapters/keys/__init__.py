"""Keys and secrets: who can read what, and how it is made unreadable for ever.

The master key (`master`) seals everything in the `vault`: a key per customer (`customers`), a key per day
(`periods`), the platform's own keys (`platform`) and providers' secrets (`secrets`). `sealing` is the one
place that encrypts under those keys.
"""
