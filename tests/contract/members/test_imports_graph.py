"""Imports and households over the graph, as an app that feeds and watches them."""

from tests.contract.members.test_graph import ask
from tests.support.members_service import MembersService, enrollment, phone, staff

CREATE = """mutation ($input: CreateImportJobInput!) { createImportJob(input: $input) {
    job { id rowsExpected duplicates dryRun createdBy closedAt } userErrors { code field } } }"""
ROWS = """mutation ($input: ImportRowsInput!) { importRows(input: $input) {
    refusedRows { row code atField } members { row memberId outcome } job { rowsDone enrolled refused }
    userErrors { code field } } }"""
CLOSE = """mutation ($input: CloseImportJobInput!) { closeImportJob(input: $input) {
    job { closedAt refusedRows { row code } } userErrors { code } } }"""
WATCH = """query ($id: ID!) { importJob(jobId: $id) { fileName rowsDone refusedRows { row code } latestRows }
    none: importJob(jobId: "imp_x") { id } importJobs { nodes { id refused refusedRows { row } } } }"""
MEMBER = """query ($id: ID!) { member(id: $id) { tags profile { birthday preferences { kind text } } source { campaign }
    consents { channel granted source } household { code memberIds } } }"""


async def test_a_file_goes_in_row_by_row(service: MembersService, chain: str) -> None:
    by = staff(chain)
    wish = {"key": "import-01", "fileName": "guests.csv", "rowsExpected": 2, "duplicates": "UPDATE"}
    created = (await ask(service, by, CREATE, input=wish))["createImportJob"]
    job = created["job"].pop("id")
    assert created == {
        "job": {
            "rowsExpected": 2,
            "duplicates": "UPDATE",
            "dryRun": False,
            "createdBy": "staff:key_staff",
            "closedAt": None,
        },
        "userErrors": [],
    }
    assert (await ask(service, by, CREATE, input=wish))["createImportJob"]["job"]["id"] == job
    profile = {
        "name": "Li Ming",
        "identities": [{"kind": "PHONE", "value": "+8613800138000"}],
        "birthday": "05-17",
        "preferences": [{"kind": "ALLERGY", "text": "peanut"}],
    }
    good = {
        "row": 2,
        "profile": profile,
        "source": {"campaign": "spring"},
        "tags": ["vip"],
        "household": "H-1",
        "consents": [{"channel": "SMS", "purpose": "MARKETING", "granted": True}],
        "tellMember": True,
    }
    rows = {"jobId": job, "first": 0, "rows": [good, {"row": 3, "profile": {"name": "nobody"}}]}
    taken = (await ask(service, by, ROWS, input=rows))["importRows"]
    [told] = taken.pop("members")
    assert told["outcome"] == "ENROLLED"
    assert taken == {
        "refusedRows": [{"row": 3, "code": "NO_IDENTITY", "atField": "profile.identities"}],
        "job": {"rowsDone": 2, "enrolled": 1, "refused": 1},
        "userErrors": [],
    }
    wrong = (await ask(service, by, ROWS, input={**rows, "first": 7}))["importRows"]
    assert (wrong["job"], wrong["userErrors"]) == (None, [{"code": "WRONG_PLACE", "field": "first"}])
    shown = (await ask(service, by, MEMBER, id=told["memberId"]))["member"]
    assert (told["row"], shown) == (
        2,
        {
            "tags": ["vip"],
            "profile": {"birthday": "05-17", "preferences": [{"kind": "ALLERGY", "text": "peanut"}]},
            "source": {"campaign": "spring"},
            "consents": [{"channel": "SMS", "granted": True, "source": "IMPORT"}],
            "household": {"code": "H-1", "memberIds": [told["memberId"]]},
        },
    )
    assert await ask(service, by, WATCH, id=job) == {
        "importJob": {
            "fileName": "guests.csv",
            "rowsDone": 2,
            "refusedRows": [{"row": 3, "code": "NO_IDENTITY"}],
            "latestRows": 2,
        },
        "none": None,
        "importJobs": {"nodes": [{"id": job, "refused": 1, "refusedRows": []}]},
    }
    closed = (await ask(service, by, CLOSE, input={"jobId": job}))["closeImportJob"]
    assert (closed["job"]["closedAt"], closed["userErrors"]) == ("2026-03-01T04:00:00.000Z", [])


async def test_members_come_and_go(service: MembersService, chain: str, other_chain: str) -> None:
    member = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    add = """mutation ($input: HouseholdMemberInput!) { addToHousehold(input: $input) {
        household { code memberIds } userErrors { code field } } }"""
    leave = """mutation ($input: HouseholdMemberInput!) { removeFromHousehold(input: $input) {
        household { code } userErrors { code } } }"""
    wish = {"code": "H-1", "memberId": member}
    home = {"household": {"code": "H-1", "memberIds": [member]}, "userErrors": []}
    assert (await ask(service, staff(chain), add, input=wish))["addToHousehold"] == home
    refused = (await ask(service, staff(chain), add, input={**wish, "code": "H-2"}))["addToHousehold"]
    assert refused["userErrors"] == [{"code": "IN_ANOTHER_HOUSEHOLD", "field": "memberId"}]
    nobody = (await ask(service, staff(other_chain), add, input=wish))["addToHousehold"]
    assert nobody["userErrors"] == [{"code": "MEMBER_NOT_FOUND", "field": "memberId"}]
    gone = (await ask(service, staff(chain), leave, input=wish))["removeFromHousehold"]
    assert gone == {"household": None, "userErrors": []}
