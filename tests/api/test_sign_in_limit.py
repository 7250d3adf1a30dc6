"""The limit on failed sign-ins."""

from datetime import UTC, datetime, timedelta

from api import sign_in_limit
from api.sign_in_limit import FAILURES, WITHIN, SignInLimit

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_the_oldest_of_the_last_failures_says_how_long() -> None:
    limit = SignInLimit()
    for number in range(FAILURES):
        assert limit.wait("ada", AT + number * SECOND) is None
        limit.failed("ada", AT + number * SECOND)
    assert limit.wait("ada", AT + FAILURES * SECOND) == WITHIN - FAILURES * SECOND
    assert limit.wait("bob", AT + FAILURES * SECOND) is None
    assert limit.wait("ada", AT + WITHIN) is None


def test_a_success_forgets_the_failures() -> None:
    limit = SignInLimit()
    for _ in range(FAILURES):
        limit.failed("ada", AT)
    limit.succeeded("ada")
    assert limit.wait("ada", AT) is None


def test_memory_is_bounded() -> None:
    limit = SignInLimit()
    for number in range(sign_in_limit.REMEMBERED_LOGINS + FAILURES):
        limit.failed(f"user-{number}", AT)
    assert len(limit._failures) == sign_in_limit.REMEMBERED_LOGINS
