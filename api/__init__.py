"""Who may ask: the JSON API, webhooks, pages and streams, on Flask.

Rule: sees the platform, the views and the ports; is handed them ready made, and builds none of them.
"""
