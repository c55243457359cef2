"""Staff over the subgraph alone."""

from datetime import UTC, datetime

from services.kit.mongo.database import Session
from services.members.domain.api_keys import SCOPES
from services.members.store.credits import MongoCredits
from services.members.usecases.credits import credit_enrollment
from tests.contract.members.test_graph import answer, ask
from tests.support.members_service import MembersService, staff, till

SETTINGS = """mutation { saveStaffSettings(input: {
  courses: [{code: "till", name: "The till"}], required: [{role: CASHIER, courses: ["till"]}]}) {
  userErrors { code } settings { courses { code name } required { role courses } creditMonths version } } }"""

SAVE = """mutation ($staff: [StaffMemberInput!]!) { saveStaff(input: {staff: $staff}) {
  userErrors { code field message }
  staff { id code name email roles effectiveRoles storeIds regions memberId active version training { course } } } }"""

TRAIN = """mutation ($id: ID!) { recordTraining(input: {records: [
  {staffId: $id, course: "till", passedOn: "2026-02-01", validUntil: "2026-03-31"}]}) {
  userErrors { code } staff { training { course passedOn validUntil } } } }"""

BOARD = """query ($store: ID!) { staffLeaderboard(storeId: $store, month: "2026-03", first: 1) {
  enrollments repeatVisits target { enrollments }
  places { nodes { rank enrollments repeatVisits staff { code } target { enrollments repeatVisits } }
           pageInfo { hasNextPage endCursor } } } }"""


async def test_staff_are_trained_given_roles_and_measured(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    settings = (await ask(service, staff(chain), SETTINGS))["saveStaffSettings"]["settings"]
    assert settings == {
        "courses": [{"code": "till", "name": "The till"}],
        "required": [{"role": "CASHIER", "courses": ["till"]}],
        "creditMonths": 12,
        "version": 1,
    }
    assert (await ask(service, staff(chain), "{ staffSettings { creditMonths version } }"))["staffSettings"] == {
        "creditMonths": 12,
        "version": 1,
    }
    cashier = {"code": "li", "name": "Li", "roles": ["CASHIER"], "storeIds": [store]}
    refused = (await ask(service, staff(chain), SAVE, staff=[cashier]))["saveStaff"]
    assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [("NOT_TRAINED", "staff.0.roles")]
    people = [{**cashier, "roles": []}, {"code": "mei", "name": "Mei", "storeIds": [store]}]
    [li, _] = (await ask(service, staff(chain), SAVE, staff=people))["saveStaff"]["staff"]
    trained = (await ask(service, staff(chain), TRAIN, id=li["id"]))["recordTraining"]
    passed = {"course": "till", "passedOn": "2026-02-01", "validUntil": "2026-03-31"}
    assert trained == {"userErrors": [], "staff": [{"training": [passed]}]}
    [saved] = (await ask(service, staff(chain), SAVE, staff=[cashier]))["saveStaff"]["staff"]
    assert saved == {
        "id": li["id"],
        "code": "li",
        "name": "Li",
        "email": None,
        "roles": ["CASHIER"],
        "effectiveRoles": ["CASHIER"],
        "storeIds": [store],
        "regions": [],
        "memberId": None,
        "active": True,
        "version": 3,
        "training": [{"course": "till"}],
    }

    async def credit(session: Session) -> None:
        moment = datetime(2026, 3, 10, 12, tzinfo=UTC)
        await credit_enrollment(
            chain, li["id"], store, "mem_1", moment, credits_=MongoCredits(service.database, session)
        )

    await service.database.in_transaction(credit)
    target = """mutation ($id: ID!) { setStaffTargets(input: {targets: [
      {subjectId: $id, month: "2026-03", enrollments: 5, repeatVisits: 9}]}) { userErrors { code } } }"""
    assert (await ask(service, staff(chain), target, id=li["id"]))["setStaffTargets"] == {"userErrors": []}
    board = (await ask(service, staff(chain), BOARD, store=store))["staffLeaderboard"]
    first = {
        "rank": 1,
        "enrollments": 1,
        "repeatVisits": 0,
        "staff": {"code": "li"},
        "target": {"enrollments": 5, "repeatVisits": 9},
    }
    assert board == {
        "enrollments": 1,
        "repeatVisits": 0,
        "target": None,
        "places": {"nodes": [first], "pageInfo": {"hasNextPage": True, "endCursor": "1"}},
    }
    one = "query ($id: ID!) { staffMember(staffId: $id) { code } }"
    assert (await ask(service, staff(chain), one, id=li["id"]))["staffMember"] == {"code": "li"}
    assert (await ask(service, staff(chain), one, id="stf_x"))["staffMember"] is None
    page = 'query ($store: ID!) { staff(storeId: $store, first: 1, after: "li") { nodes { code } } }'
    assert (await ask(service, staff(chain), page, store=store))["staff"] == {"nodes": [{"code": "mei"}]}


async def test_who_may_ask_for_staff(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    for text, scope in (
        ("{ staff { nodes { id } } }", "staff:read"),
        ("{ staffSettings { version } }", "staff:read"),
        (f'{{ staffLeaderboard(storeId: "{store}", month: "2026-03") {{ enrollments }} }}', "staff:read"),
        ("mutation { saveStaff(input: {staff: []}) { staff { id } } }", "staff:write"),
        ("mutation { recordTraining(input: {records: []}) { staff { id } } }", "staff:write"),
        ("mutation { saveStaffSettings(input: {courses: []}) { settings { version } } }", "staff:write"),
        ("mutation { setStaffTargets(input: {targets: []}) { userErrors { code } } }", "staff:write"),
    ):
        assert (text, (await answer(service, staff(chain), text))[1]) == (text, [])
        without = staff(chain, scopes=SCOPES - {scope})
        assert (text, (await answer(service, without, text))[1]) == (text, ["DENIED"])
        assert (text, (await answer(service, till(chain, store), text))[1]) == (text, ["DENIED"])
        assert (text, (await answer(service, None, text))[1]) == (text, ["UNAUTHENTICATED"])
