"""The contracts that whoever extends Parley has to keep, as tests: published with it, for other packages.

Rule: for tests alone. Imports the domain, the standard library and pytest; no other room imports it. What
stands in for the world, and how it misbehaves, is here too, so that our own fakes and strangers' are alike.
"""

import pytest

# Before it is imported: so that a failed assertion in it shows its values, as in any test.
pytest.register_assert_rewrite("contracts.providers")
