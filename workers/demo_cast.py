"""Who plays in the demo: the people who can be signed in as with one click, and the customers' numbers."""

HANDSETS = ("+12025550101", "+12025550102", "+12025550103")

PEOPLE = {
    "ana": ("Ana Silva", frozenset({"agent"})),
    "ben": ("Ben Okoro", frozenset({"agent"})),
    "admin": ("Ada Admin", frozenset({"admin"})),
    "alex": ("Alex Analyst", frozenset({"analyst"})),
}
"""Name and roles by login."""
