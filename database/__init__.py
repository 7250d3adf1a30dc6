"""Where rows are kept: SQLite files when embedded, a PostgreSQL schema in the cluster.

Rule: knows nothing of what the rows mean. Statements are written once, in what both databases understand
(`database.sql`); where the two differ, the difference is in here.
"""
