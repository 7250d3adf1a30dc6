"""The far end: what it answers, and how it misbehaves when told to."""

from collections.abc import Iterator

import pytest
import requests

from contracts.far_end import FAIL_PATH, Answer, FarEnd, Fault, Request, closed_port


class Echo(FarEnd):
    """Answers what it was asked; takes every POST but an empty one."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[bytes] = []

    def answer(self, request: Request) -> Answer:
        if request.method == "GET":
            return Answer.json(200, {"path": request.path, **request.query})
        if not request.body:
            return self.refused(422)
        self.taken.append(request.body)
        return Answer.json(201, request.headers["x-name"])


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as running:
        yield running


def post(echo: Echo, body: bytes = b"1") -> requests.Response:
    return requests.post(f"{echo.url}/a?b=c", body, headers={"X-Name": "Ann"}, timeout=(1.0, 0.2))


def test_it_answers_what_it_is_made_to(echo: Echo) -> None:
    assert post(echo).json() == "Ann"
    assert requests.get(f"{echo.url}/a?b=c", auth=("x", "y"), timeout=5).json() == {"path": "/a", "b": "c"}
    assert post(echo, b"").json() == {"error": "Unprocessable Entity"}
    assert echo.requests == [("POST", "/a?b=c", False), ("GET", "/a?b=c", True), ("POST", "/a?b=c", False)]
    assert echo.taken == [b"1"]


@pytest.mark.parametrize(
    ("fault", "status", "taken"),
    [
        (Fault.THROTTLED, 429, False),
        (Fault.FAILED, 500, False),
        (Fault.UNAVAILABLE, 503, False),
        (Fault.GARBAGE, 200, True),
    ],
)
def test_answers_that_are_wrong(fault: Fault, status: int, taken: bool, echo: Echo) -> None:
    echo.fail_next(fault)
    answer = post(echo)
    assert (answer.status_code, echo.taken) == (status, [b"1"] if taken else [])
    assert ("Retry-After" in answer.headers) == (fault is Fault.THROTTLED)
    assert post(echo).status_code == 201


@pytest.mark.parametrize(
    ("fault", "error", "taken"),
    [
        (Fault.HANG, requests.ReadTimeout, False),
        (Fault.SLOW, requests.ReadTimeout, True),
        (Fault.RESET_BEFORE, requests.ConnectionError, False),
        (Fault.RESET_AFTER, requests.ConnectionError, True),
    ],
)
def test_answers_that_do_not_come(fault: Fault, error: type[Exception], taken: bool, echo: Echo) -> None:
    echo.fail_next(fault)
    with pytest.raises(error):
        post(echo)
    assert echo.taken == ([b"1"] if taken else [])
    assert post(echo).status_code == 201


def test_only_what_was_accepted_is_spoilt(echo: Echo) -> None:
    echo.fail_next(Fault.GARBAGE, 2)
    assert post(echo, b"").status_code == 422
    assert requests.get(f"{echo.url}/a", timeout=5).json() == {"path": "/a"}


def test_another_process_may_say_what_goes_wrong(echo: Echo) -> None:
    requests.post(echo.url + FAIL_PATH, {"fault": "429", "times": 2}, timeout=5)
    assert [post(echo).status_code for _ in range(3)] == [429, 429, 201]


def test_nobody_listens_at_a_closed_port() -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{closed_port()}", timeout=5)
