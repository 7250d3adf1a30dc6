"""What is seen: the views, each with its tables.

Rule: a view and its position change in one transaction, and a view can be refilled from zero with the same
result. Projections do not know the adapters.
"""
