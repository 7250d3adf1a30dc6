"""How the world is reached: one file per outside system.

Rule: each module fills a port of the domain. Adapters do not know the projections, and raise what went wrong:
whether to retry is decided by the worker that called them.
"""
