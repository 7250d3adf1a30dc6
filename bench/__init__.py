"""What Parley can carry: measurements, each beside its ceilings taken in the same run.

Rule: run from the repository's root (``make bench``, ``make corpus``), never packed, never imported by a
room.
"""
