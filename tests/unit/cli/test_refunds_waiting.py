"""`huitou refunds-waiting` against a platform on paper."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from infra.cli.importing.command import NoKeyError
from infra.cli.ledger.waiting import show
from infra.cli.main import main

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def refund(number: int, day: int, *amounts: int | None) -> dict[str, Any]:
    return {
        "storeId": "sto_1",
        "refundNumber": f"F{number}",
        "receiptStoreId": "sto_gone",
        "receiptNumber": f"R{number}",
        "occurredAt": f"2026-03-{day:02}T10:00:00.000Z",
        "bookedAt": f"2026-03-{day:02}T11:00:00.000Z",
        "lines": [{"amountMinor": amount} for amount in amounts],
    }


async def asked(
    refunds: list[dict[str, Any]], *, older_than: timedelta = timedelta(0), as_csv: bool
) -> list[dict[str, Any]]:
    """Show what a platform answers, two at a time; return what it was asked."""
    questions: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)["variables"]
        questions.append(variables)
        start = int(variables["after"] or 0)
        page = {"hasNextPage": start + 2 < len(refunds), "endCursor": str(start + 2)}
        waiting = {"nodes": refunds[start : start + 2], "pageInfo": page}
        stores = [{"id": "sto_1", "code": "web"}]
        return httpx.Response(200, json={"data": {"stores": stores, "waitingRefunds": waiting}})

    transport = httpx.MockTransport(answer)
    url = "http://127.0.0.1:1/graphql"
    assert await show(url, "htk_x", older_than=older_than, as_csv=as_csv, now=NOW, transport=transport) == 0
    return questions


async def test_all_pages_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    refunds = [refund(1, 1, 500, 20), refund(2, 29), refund(3, 31, None)]
    questions = await asked(refunds, older_than=timedelta(days=7), as_csv=True)
    assert questions == [{"before": "2026-03-24T12:00:00.000Z", "first": 100, "after": after} for after in (None, "2")]
    assert capsys.readouterr().out.splitlines() == [
        "store,refund,receipt_store,receipt,occurred_at,received_at,days,amount_minor",
        "web,F1,sto_gone,R1,2026-03-01T10:00:00.000Z,2026-03-01T11:00:00.000Z,30,520",
        "web,F2,sto_gone,R2,2026-03-29T10:00:00.000Z,2026-03-29T11:00:00.000Z,2,",
        "web,F3,sto_gone,R3,2026-03-31T10:00:00.000Z,2026-03-31T11:00:00.000Z,0,",
    ]


async def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    await asked([refund(1, 1, 500)], as_csv=False)
    said = capsys.readouterr().out
    assert [word in said for word in ("receipt store", "F1", "R1", "2026-03-01T11:00:00.000Z", "30", "500")] == [
        True
    ] * 6
    await asked([], as_csv=False)
    assert capsys.readouterr().out == "no refund waits for its receipt\n"


def test_it_needs_a_key_and_days(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("HUITOU_KEY", raising=False)
    assert main(["refunds-waiting"]) == 1
    assert NoKeyError().message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["refunds-waiting", "--older-than", "-1"])
    assert "'-1' is not a number of days" in capsys.readouterr().err
