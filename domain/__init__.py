"""What is true: aggregates, events, values, ports, the platform's use cases.

Rule: imports only the standard library, phonenumbers, eventsourcing.domain and eventsourcing.application.
Nothing here does I/O or reads a clock, a random source or the environment: those are ports, declared in
``domain.ports``.
"""
