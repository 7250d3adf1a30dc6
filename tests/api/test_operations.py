"""What operators look at: health, metrics, positions, parked facts."""

import re
from typing import Any
from uuid import UUID

import pytest

from adapters.accounts import Role
from api import answers
from api.services import Health
from domain.facts import ReceiptReceived, ReceiptStatus
from domain.ports import Parked, Unit
from tests.api.conftest import Caller, caller_with, fields_of

FACT = ReceiptReceived(
    key=UUID(int=1),
    mapping_id=UUID(int=2),
    scope="twilio:AC",
    provider_message_id="SM",
    message_id=None,
    attempt=None,
    status=ReceiptStatus.SENT,
    provider_status="sent",
    error_code=None,
    raw="",
)
WHY = {"why": "the mapping was put right"}


# ── health and metrics ─────────────────────────────────────────────────────────────────────────


def test_health(admin: Caller) -> None:
    anybody = Caller(admin.platform, admin.client, key=None)
    assert anybody.get("/health/live").status_code == 200
    assert anybody.get("/health/ready").json == {"ok": True, "parts": {"ingest": True}}
    admin.platform.parts.append(Health("router", ok=False, detail="failed 3 times: no disk"))
    unready = anybody.get("/health/ready")
    assert unready.status_code == 503
    assert unready.json == {"ok": False, "parts": {"ingest": True, "router": False}}
    assert "no disk" in admin.get("/api/v1/health").text
    assert anybody.get("/health/live").status_code == 200


def test_metrics(admin: Caller) -> None:
    admin.post("/queues", {"code": "SUPPORT", "name": "Support"})
    admin.platform.store.save(Unit(parked=[Parked(0, 5, "no such mapping")]))
    text = admin.get("/metrics").text

    def value(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (.+)$", text, re.MULTILINE)
        assert found, text
        return float(found[1])

    assert value('parley_requests_total{route="queues.add_queue",status="201"}') == 1
    assert value('parley_request_seconds_count{route="queues.add_queue"}') == 1
    assert value("parley_accepted_facts_total") == 0
    assert value('parley_projection_lag{projection="configuration"}') == 0
    assert value("parley_parked_facts") == 1
    assert value('parley_part_ok{part="ingest"}') == 1


def test_metrics_name_the_lag(admin: Caller) -> None:
    admin.client.post(
        "/api/v1/queues",
        json={"code": "A", "name": "A"},
        headers={"Authorization": f"Bearer {admin.key}"},
    )
    text = admin.client.get("/metrics", headers={"Authorization": f"Bearer {admin.key}"}).text
    assert 'parley_projection_lag{projection="history"} 1.0' in text


# ── positions ──────────────────────────────────────────────────────────────────────────────────


def test_a_read_that_comes_too_early_is_told_so(admin: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LONGEST_WAIT", 0.01)
    early = admin.get("/queues?after=1")
    assert early.status_code == 503
    assert early.headers["Retry-After"]
    admin.post("/queues", {"code": "SUPPORT", "name": "Support"})
    assert admin.get("/queues?after=1").status_code == 200


def test_positions_rise(admin: Caller) -> None:
    first = admin.post("/queues", {"code": "A", "name": "A"}).headers["Parley-Position"]
    second = admin.delete("/queues/A").headers["Parley-Position"]
    assert int(second) > int(first)


# ── parked facts ───────────────────────────────────────────────────────────────────────────────


def park(admin: Caller) -> str:
    """A fact on the log that could not be ingested; its path."""
    ingress = admin.platform.services.ingress
    ingress.accept([FACT])
    (place,) = [(part, end) for part in range(ingress.partitions) if (end := ingress.end(part)) >= 0]
    admin.platform.store.save(Unit(parked=[Parked(*place, "no such message")]))
    return f"/parked/{place[0]}/{place[1]}"


def test_a_parked_fact_is_tried_again(admin: Caller) -> None:
    path = park(admin)
    listed: Any = admin.get("/parked").json
    assert [each["reason"] for each in listed["items"]] == ["no such message"]
    assert admin.post(f"{path}/retry", WHY).status_code == 204
    partition = int(path.split("/")[2])
    accepted = admin.platform.services.ingress.read(partition, -1, 10)
    assert [each.fact for each in accepted] == [FACT, FACT]
    assert admin.get("/parked").json == {"items": [], "next": None}
    assert admin.post(f"{path}/retry", WHY).status_code == 404
    (decision,) = admin.get("/parked/decisions").json["items"]  # type: ignore[index]
    assert (decision["what"], decision["login"]) == ("retried", "key:PARLEY_ADMIN_KEY")
    assert decision["why"] == WHY["why"]


def test_a_parked_fact_is_given_up(admin: Caller) -> None:
    path = park(admin)
    nothing = admin.post(f"{path}/discard", {"why": ""})
    assert (nothing.status_code, fields_of(nothing)) == (422, ["why"])
    assert admin.post(f"{path}/discard", WHY).status_code == 204
    assert admin.post(f"{path}/discard", WHY).status_code == 404
    assert admin.get("/parked/decisions").json["items"][0]["what"] == "discarded"  # type: ignore[index]


def test_a_fact_that_the_log_lost_cannot_be_tried_again(admin: Caller) -> None:
    admin.platform.store.save(Unit(parked=[Parked(0, 77, "gone")]))
    answer = admin.post("/parked/0/77/retry", WHY)
    assert answer.status_code == 409
    assert len(admin.get("/parked").json["items"]) == 1  # type: ignore[index]


def test_parked_facts_turn_pages(admin: Caller) -> None:
    places = [(0, 1), (0, 2), (1, 0)]
    admin.platform.store.save(Unit(parked=[Parked(*place, "x") for place in places]))
    page: Any = admin.get("/parked?limit=2").json
    rest: Any = admin.get(f"/parked?limit=2&cursor={page['next']}").json
    assert [(each["partition"], each["offset"]) for each in page["items"] + rest["items"]] == places
    assert rest["next"] is None


def test_only_admins_see_what_is_parked(admin: Caller) -> None:
    assert caller_with(admin, Role.ANALYST).get("/parked").status_code == 403
