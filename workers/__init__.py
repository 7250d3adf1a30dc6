"""What runs: loops, composition, the environment and the command line.

Rule: the only room that builds things, and only ``workers.settings`` reads the environment. Every worker is a
``step()`` that does a bounded piece of work and returns; loops, threads and signals live outside it.
"""
