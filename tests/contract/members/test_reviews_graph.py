"""Reviews over the subgraph alone."""

from tests.contract.members.test_graph import answer, ask
from tests.contract.members.test_reviews import bought, hear, join
from tests.support.clock import FixedClock
from tests.support.members_service import MembersService, staff, till

RULES = "{ reviewRules { version rules { code kind severity windowMinutes most speedKmh minDistanceM on } } }"
SAVE = """mutation ($input: SaveReviewRulesInput!) { saveReviewRules(input: $input) {
  userErrors { code field } reviewRules { version rules { code kind severity windowMinutes most on } } } }"""
LIST = """query ($state: ReviewState, $store: ID) { reviews(state: $state, storeId: $store, first: 1) {
  nodes { id memberId staffCode rule kind severity raisedAt evidence { purchaseId occurredAt storeId staffCode }
          moreEvidence state resolvedAt resolvedBy note version } pageInfo { hasNextPage } } }"""
RESOLVE = """mutation ($input: ResolveReviewInput!) { resolveReview(input: $input) {
  userErrors { code field } review { state resolvedBy note version } } }"""


async def test_a_review_is_raised_shown_and_judged(service: MembersService, chain: str, clock: FixedClock) -> None:
    usual = (await ask(service, staff(chain), RULES))["reviewRules"]
    assert (usual["version"], usual["rules"][2]) == (
        0,
        {
            "code": "impossible-travel",
            "kind": "IMPOSSIBLE_TRAVEL",
            "severity": "MEDIUM",
            "windowMinutes": 720,
            "most": None,
            "speedKmh": 400,
            "minDistanceM": 50_000,
            "on": True,
        },
    )
    crowd = {"code": "crowd", "kind": "TOO_MANY_RECEIPTS", "severity": "HIGH", "windowMinutes": 60, "most": 1}
    saved = (await ask(service, staff(chain), SAVE, input={"version": 0, "rules": [crowd]}))["saveReviewRules"]
    assert saved == {"userErrors": [], "reviewRules": {"version": 1, "rules": [{**crowd, "on": True}]}}
    refused = (await ask(service, staff(chain), SAVE, input={"version": 0, "rules": []}))["saveReviewRules"]
    assert refused["userErrors"] == [{"code": "REVIEW_RULES_CHANGED", "field": "version"}]
    members = [await join(service, chain) for _ in range(2)]
    for member in members:
        await hear(service, clock, bought(chain, member, 1, 0, served="li"), bought(chain, member, 2, 30))
    page = (await ask(service, staff(chain), LIST, state="OPEN"))["reviews"]
    [review] = page["nodes"]
    assert page["pageInfo"] == {"hasNextPage": True}
    assert review == {
        "id": review["id"],
        "memberId": members[1],
        "staffCode": None,
        "rule": "crowd",
        "kind": "TOO_MANY_RECEIPTS",
        "severity": "HIGH",
        "raisedAt": "2026-03-01T04:00:00.000Z",
        "evidence": [
            {
                "purchaseId": f"pur_{members[1][-8:]}_001",
                "occurredAt": "2026-02-28T04:00:00.000Z",
                "storeId": "sto_1",
                "staffCode": "li",
            },
            {
                "purchaseId": f"pur_{members[1][-8:]}_002",
                "occurredAt": "2026-02-28T04:30:00.000Z",
                "storeId": "sto_1",
                "staffCode": None,
            },
        ],
        "moreEvidence": False,
        "state": "OPEN",
        "resolvedAt": None,
        "resolvedBy": None,
        "note": None,
        "version": 1,
    }
    wish = {"reviewId": review["id"], "version": 1, "judgement": "DISMISSED", "note": "a party"}
    done = (await ask(service, staff(chain), RESOLVE, input=wish))["resolveReview"]
    judged = {"state": "DISMISSED", "resolvedBy": "staff:key_staff", "note": "a party", "version": 2}
    assert done == {"userErrors": [], "review": judged}
    stale = (await ask(service, staff(chain), RESOLVE, input={**wish, "judgement": "CONFIRMED"}))["resolveReview"]
    assert stale == {"userErrors": [{"code": "REVIEW_CHANGED", "field": "version"}], "review": None}
    assert (await ask(service, staff(chain), LIST, state="OPEN", store="sto_2"))["reviews"]["nodes"] == []


async def test_a_till_sees_none(service: MembersService, chain: str) -> None:
    for text in (RULES, "{ reviews { nodes { id } } }"):
        assert (await answer(service, till(chain, "sto_1"), text))[1] == ["DENIED"]
        assert (await answer(service, None, text))[1] == ["UNAUTHENTICATED"]
