"""What Parley promises, shown: a folder for each room, by the room's name.

Rule: fakes rather than mocks, no sleep (an injected clock, or a wait with a deadline), no test that cannot
fail.
"""
