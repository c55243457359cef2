"""The subgraph alone, over the real servicers."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from protos.members.v1 import members_pb2 as pb
from services.kit.graph import GraphContext
from services.kit.graph.context import Channels
from services.kit.principal import Caller, Principal
from services.members.domain.api_keys import SCOPES
from services.members.domain.identities import IdentityKind
from services.members.graph import subgraph
from tests.support.members_service import MembersService, enrollment, phone, staff, till

SCHEMA = subgraph.schema()

ENROLL = """
mutation ($input: EnrollMemberInput!) { enrollMember(input: $input) {
  repeatedCall userErrors { code field message }
  member { id profile { name identities { kind value } } enrolledAt channel store { code }
           visits { count last lastGapDays usualGapDays spend { amountMinor currency } } } } }
"""


async def ask(service: MembersService, by: Principal | None, text: str, **variables: Any) -> dict[str, Any]:
    """Return the answer's data; an error fails the test."""
    data, errors = await answer(service, by, text, **variables)
    assert errors == []
    return data


async def answer(
    service: MembersService, by: Principal | None, text: str, **variables: Any
) -> tuple[dict[str, Any], list[str]]:
    context = GraphContext(caller=by, channels=Channels({"members": service.channel}))
    result = await SCHEMA.answer(SCHEMA.documents.known(text), context=context, variables=variables)
    return result.data or {}, [str((error.extensions or {})["code"]) for error in result.errors or []]


async def test_a_member_is_enrolled_and_shown(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    wish = {
        "key": "wish-0001",
        "profile": {"name": "Li", "identities": [{"kind": "PHONE", "value": "13800138000"}]},
        "channel": "TABLE_QR",
        "enrolledAt": "2026-02-01T08:00:00+08:00",
        "storeId": store,
    }
    first = (await ask(service, staff(chain), ENROLL, input=wish))["enrollMember"]
    member = first["member"]
    assert (first["repeatedCall"], first["userErrors"]) == (False, [])
    assert member == {
        "id": member["id"],
        "profile": {"name": "Li", "identities": [{"kind": "PHONE", "value": "+8613800138000"}]},
        "enrolledAt": "2026-02-01T00:00:00.000Z",
        "channel": "TABLE_QR",
        "store": {"code": "bund"},
        "visits": {"count": 0, "last": None, "lastGapDays": None, "usualGapDays": None, "spend": []},
    }
    again = (await ask(service, staff(chain), ENROLL, input=wish))["enrollMember"]
    assert again == {**first, "repeatedCall": True}
    text = "query ($id: ID!) { member(id: $id) { profile { identities { value } } } }"
    shown = await ask(service, till(chain, store), text, id=member["id"])
    assert shown == {"member": {"profile": {"identities": [{"value": "***8000"}]}}}


async def test_a_payer_is_shown_as_provisional_and_without_its_hash(service: MembersService, chain: str) -> None:
    request = pb.EnrollPayersRequest(payers=[pb.Payer(hash="0f" * 32, payment_kind="alipay")])
    points = replace(staff(chain), kind=Caller.SERVICE)
    member = (await service.call(service.members.EnrollPayers, request, points)).payers[0].member_id
    text = "query ($id: ID!) { member(id: $id) { provisional channel profile { name identities { kind value } } } }"
    shown = await ask(service, staff(chain), text, id=member)
    assert shown == {
        "member": {"provisional": True, "channel": "PAYMENT", "profile": {"name": "", "identities": []}},
    }
    by_hand = (await service.enroll(enrollment(), staff(chain))).member.id
    assert (await ask(service, staff(chain), text, id=by_hand))["member"]["provisional"] is False


async def test_no_payer_can_be_named_in_an_enrollment(service: MembersService, chain: str) -> None:
    names = '{ __type(name: "IdentityKind") { enumValues { name } } }'
    asked = await ask(service, staff(chain), names)
    assert [one["name"] for one in asked["__type"]["enumValues"]] == [
        kind.name for kind in IdentityKind if kind is not IdentityKind.PAYER
    ]
    wish = {"key": "wish-0001", "profile": {"name": "Li"}, "channel": "PAYMENT"}
    refused = (await ask(service, staff(chain), ENROLL, input=wish))["enrollMember"]
    assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [("INVALID_MEMBER", "channel")]


async def test_a_refusal_is_data(service: MembersService, chain: str) -> None:
    wish = {"key": "wish-0001", "profile": {"identities": [{"kind": "PHONE", "value": "1"}]}, "channel": "APP"}
    refused = (await ask(service, staff(chain), ENROLL, input=wish))["enrollMember"]
    assert refused["member"] is None
    assert refused["userErrors"] == [
        {
            "code": "INVALID_IDENTITY",
            "field": "profile.identities.0.value",
            "message": "The identity is not right: write a phone number with its country, like +86 138 0013 8000.",
        }
    ]


async def test_each_of_a_batch_is_answered(service: MembersService, chain: str) -> None:
    text = """mutation ($input: EnrollMembersInput!) { enrollMembers(input: $input) {
        userErrors { code } results { repeatedCall member { profile { name } } userErrors { code field } } } }"""
    wishes = [
        {
            "key": f"wish-000{number}",
            "profile": {"name": f"M{number}", "identities": [{"kind": "EXTERNAL", "value": value}]},
            "channel": "IMPORT",
        }
        for number, value in enumerate(["A", "B", "A"])
    ]
    payload = (await ask(service, staff(chain), text, input={"members": wishes}))["enrollMembers"]
    assert payload["userErrors"] == []
    assert [one["member"] and one["member"]["profile"]["name"] for one in payload["results"]] == ["M0", "M1", None]
    assert payload["results"][2]["userErrors"] == [
        {"code": "IDENTITY_TAKEN", "field": "members.2.profile.identities.0"}
    ]


async def test_a_guest_asks_for_itself(service: MembersService, chain: str) -> None:
    mine, other = [(await service.enroll(enrollment(), staff(chain))).member.id for _ in range(2)]
    guest = replace(staff(chain), kind=Caller.MEMBER, id=mine, scopes=frozenset())
    text = "query($other: ID!) { me { id } member(id: $other) { id } chain { name } stores { code } menu { code } }"
    shown = await ask(service, guest, text, other=other)
    assert shown == {"me": {"id": mine}, "member": None, "chain": {"name": "Noodles"}, "stores": [], "menu": []}


async def test_a_router_finds_members_by_their_keys(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    text = """query ($keys: [_Any!]!) { _entities(representations: $keys) { ... on Member { id visits { count } } } }"""
    keys = [{"__typename": "Member", "id": one} for one in (member, "mem_nobody")]
    found = await ask(service, staff(chain), text, keys=keys)
    assert found == {"_entities": [{"id": member, "visits": {"count": 0}}, None]}


async def test_stores_menus_and_keys_are_kept(service: MembersService, chain: str) -> None:
    saved = await ask(
        service,
        staff(chain),
        """mutation { saveStores(input: {stores: [{code: "b", name: "Bund"}]}) { stores { id code timeZone version } }
            saveMenuItems(input: {items: [
              {code: "n", name: "Noodles", priceMinor: 3200}
              {code: "t", name: "Tea", priceMinor: 500, launchedOn: "2026-03-01"}]}) {
              items { code category priceMinor version launchedOn } } }""",
    )
    store = saved["saveStores"]["stores"][0]
    assert store == {"id": store["id"], "code": "b", "timeZone": "Asia/Shanghai", "version": 1}
    noodles = {"code": "n", "category": None, "priceMinor": 3_200, "version": 1, "launchedOn": None}
    assert saved["saveMenuItems"]["items"] == [
        noodles,
        {"code": "t", "category": None, "priceMinor": 500, "version": 1, "launchedOn": "2026-03-01"},
    ]
    shown = await ask(service, staff(chain), "{ menu { code launchedOn } }")
    assert shown["menu"] == [{"code": "n", "launchedOn": None}, {"code": "t", "launchedOn": "2026-03-01"}]
    refused = await ask(
        service,
        staff(chain),
        """mutation { saveMenuItems(input: {items: [{code: "n", name: "N", priceMinor: 1, launchedOn: "1 March"}]}) {
            items { code } userErrors { code field message } } }""",
    )
    why = 'The menu item is not right: a day is like "2026-03-01".'
    error = {"code": "INVALID_MENU_ITEM", "field": "items.0.launchedOn", "message": why}
    assert refused["saveMenuItems"] == {"items": [], "userErrors": [error]}
    text = """mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { id secret userErrors { code } } }"""
    wish = {"kind": "TILL", "subject": "till 1", "scopes": ["purchases:write"], "storeIds": [store["id"]]}
    created = (await ask(service, staff(chain), text, input=wish))["createApiKey"]
    assert created["secret"].startswith("htk_till_")
    text = """mutation ($id: ID!) { revokeApiKey(input: {id: $id}) { revokedAt userErrors { code } } }"""
    revoked = (await ask(service, staff(chain), text, id=created["id"]))["revokeApiKey"]
    assert revoked == {"revokedAt": "2026-03-01T04:00:00.000Z", "userErrors": []}


SAVE_STORES = """mutation ($stores: [StoreInput!]!) { saveStores(input: {stores: $stores}) {
  userErrors { code field }
  stores { code brand closed isOpen address { lines city postalCode country } position { latitude longitude }
           hours { weekly { opens closes } holidays { day spans { opens closes } } } } } }"""


async def test_what_a_store_is_more(service: MembersService, chain: str) -> None:
    await service.save_brands(chain, "a")
    place = {
        "brand": "a",
        "closed": False,
        "address": {"lines": ["1 Bund"], "city": "Shanghai", "postalCode": None, "country": "CN"},
        "position": {"latitude": 31.24, "longitude": 121.49},
        "hours": {
            "weekly": [[{"opens": "11:00", "closes": "02:00"}], *[[]] * 6],
            "holidays": [{"day": "2026-03-01", "spans": [{"opens": "00:00", "closes": "24:00"}]}],
        },
    }

    async def save(**more: Any) -> dict[str, Any]:
        stores = [{"code": "b", "name": "Bund", **more}]
        saved: dict[str, Any] = (await ask(service, staff(chain), SAVE_STORES, stores=stores))["saveStores"]
        return saved

    whole = {"code": "b", "isOpen": True, **place}  # it is noon of 1 March in Shanghai
    assert await save(**place) == {"userErrors": [], "stores": [whole]}
    assert (await save())["stores"] == [whole]
    gone = dict.fromkeys(place)
    assert (await save(**gone))["stores"] == [{**gone, "code": "b", "isOpen": None, "closed": False}]
    refused = await save(hours={"weekly": []})
    assert refused == {"userErrors": [{"code": "INVALID_HOURS", "field": "stores.0.hours.weekly"}], "stores": []}


async def test_the_chains_lists_and_codes(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    saved = await ask(
        service,
        staff(chain),
        """mutation ($store: ID!) {
          saveBrands(input: {brands: [{code: "a", name: "Alpha"}]}) { brands { code name version } }
          saveRegions(input: {regions: [{code: "s", name: "Shanghai", parent: "e"}, {code: "e", name: "East"}]}) {
            regions { code parent } }
          savePartners(input: {partners: [{code: "air", name: "Air", state: PAUSED}]}) { partners { code state } }
          saveMenuItems(input: {items: [{code: "t", name: "Tea", priceMinor: 500, costMinor: 120, brand: "a"}]}) {
            items { costMinor onSale inStock brand } }
          setStock(input: {code: "t", inStock: false, storeId: $store}) { item { inStock stockExceptions } }
          createQrCodes(input: {key: "codes-001", storeId: $store, places: [{spot: TABLE, label: "12"}]}) { codes }
        }""",
        store=store,
    )
    [code] = saved.pop("createQrCodes")["codes"]
    assert saved == {
        "saveBrands": {"brands": [{"code": "a", "name": "Alpha", "version": 1}]},
        "saveRegions": {"regions": [{"code": "s", "parent": "e"}, {"code": "e", "parent": None}]},
        "savePartners": {"partners": [{"code": "air", "state": "PAUSED"}]},
        "saveMenuItems": {"items": [{"costMinor": 120, "onSale": True, "inStock": True, "brand": "a"}]},
        "setStock": {"item": {"inStock": True, "stockExceptions": [store]}},
    }
    shown = await ask(
        service,
        staff(chain),
        """query ($code: String!, $store: ID!) {
          brands { code } regions { code } partners { code } none: qrCode(code: "x") { code }
          qrCode(code: $code) { spot label good store { code } revokedAt }
          qrCodes(storeId: $store) { nodes { code good } } }""",
        code=code,
        store=store,
    )
    place = {"spot": "TABLE", "label": "12", "good": True, "store": {"code": "bund"}, "revokedAt": None}
    assert shown == {
        "brands": [{"code": "a"}],
        "regions": [{"code": "e"}, {"code": "s"}],
        "partners": [{"code": "air"}],
        "none": None,
        "qrCode": place,
        "qrCodes": {"nodes": [{"code": code, "good": True}]},
    }
    text = "mutation ($code: String!) { revokeQrCode(input: {code: $code}) { qrCode { good } userErrors { code } } }"
    assert (await ask(service, staff(chain), text, code=code))["revokeQrCode"]["qrCode"] == {"good": False}
    assert (await ask(service, till(chain, store), "{ menu { costMinor } }"))["menu"] == [{"costMinor": None}]


EVERYBODY = {Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL}
RULES = (
    ('{ member(id: "mem_1") { id } }', EVERYBODY, "members:read"),
    ("{ me { id } }", {Caller.MEMBER}, ""),
    ("{ chain { id } }", EVERYBODY, ""),
    ("{ stores { id } }", EVERYBODY, ""),
    ("{ menu { code } }", EVERYBODY, ""),
    ("{ brands { code } }", EVERYBODY, ""),
    ("{ regions { code } }", EVERYBODY, ""),
    ("{ partners { code } }", {Caller.STAFF}, "chain:write"),
    ("{ nearestStores(latitude: 0, longitude: 0) { distanceM } }", EVERYBODY, ""),
    ('{ qrCode(code: "none") { good } }', EVERYBODY, ""),
    ("mutation { saveBrands(input: {brands: []}) { brands { code } } }", {Caller.STAFF}, "chain:write"),
    ("mutation { saveRegions(input: {regions: []}) { regions { code } } }", {Caller.STAFF}, "chain:write"),
    ("mutation { savePartners(input: {partners: []}) { partners { code } } }", {Caller.STAFF}, "chain:write"),
    ('mutation { revokeQrCode(input: {code: "none"}) { qrCode { good } } }', {Caller.STAFF}, "chain:write"),
    (
        'mutation { setStock(input: {code: "n", inStock: true}) { item { code } } }',
        {Caller.STAFF, Caller.TILL},
        "stock:write",
    ),
    ("mutation { saveStores(input: {stores: []}) { stores { id } } }", {Caller.STAFF}, "chain:write"),
    ("mutation { saveMenuItems(input: {items: []}) { items { code } } }", {Caller.STAFF}, "chain:write"),
    (
        "mutation { enrollMembers(input: {members: []}) { results { repeatedCall } } }",
        EVERYBODY - {Caller.MEMBER},
        "members:write",
    ),
    ('mutation { revokeApiKey(input: {id: "key_1"}) { revokedAt } }', {Caller.STAFF}, "keys:write"),
)


async def test_who_may_ask(service: MembersService, chain: str) -> None:
    for text, kinds, scope in RULES:
        for kind in EVERYBODY:
            caller = replace(staff(chain), kind=kind, id="mem_1")
            assert (text, kind, await codes(service, caller, text)) == (text, kind, [] if kind in kinds else ["DENIED"])
            if scope and kind in kinds - {Caller.MEMBER}:
                without = replace(caller, scopes=SCOPES - {scope})
                assert (text, kind, await codes(service, without, text)) == (text, kind, ["DENIED"])
        assert (text, await codes(service, None, text)) == (text, ["UNAUTHENTICATED"])


async def codes(service: MembersService, by: Principal | None, text: str) -> list[str]:
    return (await answer(service, by, text))[1]


async def test_a_profile_is_said_changed_and_shown(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(phone("+8613800138000"), name="Li"), staff(chain))).member.id
    text = """mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { userErrors { code field }
        member { version tags profile { name givenName birthday gender language address { lines city }
                 preferences { kind text } identities { value } } } } }"""
    wish = {
        "key": "wish-0001",
        "memberId": member,
        "givenName": "Ming",
        "birthday": "05-17",
        "gender": "FEMALE",
        "address": {"lines": "1 Nanjing Road", "city": "Shanghai"},
        "preferences": [{"kind": "SEAT", "text": "window"}],
        "tags": ["vip"],
    }
    changed = (await ask(service, staff(chain), text, input=wish))["updateProfile"]
    expected = {
        "version": 2,
        "tags": ["vip"],
        "profile": {
            "name": "Li",
            "givenName": "Ming",
            "birthday": "05-17",
            "gender": "FEMALE",
            "language": None,
            "address": {"lines": "1 Nanjing Road", "city": "Shanghai"},
            "preferences": [{"kind": "SEAT", "text": "window"}],
            "identities": [{"value": "+8613800138000"}],
        },
    }
    assert changed == {"userErrors": [], "member": expected}
    assert (await ask(service, staff(chain), text, input=wish))["updateProfile"]["member"] == expected
    late = {"key": "wish-0002", "memberId": member, "name": "Lili", "version": 1}
    refused = (await ask(service, staff(chain), text, input=late))["updateProfile"]
    assert refused == {"userErrors": [{"code": "MEMBER_CHANGED", "field": "version"}], "member": None}
    emptied = {"key": "wish-0003", "memberId": member, "givenName": "", "preferences": []}
    shown = (await ask(service, staff(chain), text, input=emptied))["updateProfile"]["member"]["profile"]
    assert (shown["givenName"], shown["preferences"], shown["birthday"]) == ("", [], "05-17")


async def test_a_guest_changes_the_own_profile_only_and_no_tags(service: MembersService, chain: str) -> None:
    li, ming = [(await service.enroll(enrollment(), staff(chain))).member.id for _ in range(2)]
    guest = Principal(chain=chain, kind=Caller.MEMBER, id=li)
    text = (
        "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { userErrors { code } member { id } } }"
    )
    own = await ask(service, guest, text, input={"key": "wish-0001", "memberId": li, "name": "Li"})
    assert own["updateProfile"] == {"userErrors": [], "member": {"id": li}}
    other = await ask(service, guest, text, input={"key": "wish-0002", "memberId": ming, "name": "Li"})
    assert other["updateProfile"]["userErrors"] == [{"code": "MEMBER_NOT_FOUND"}]
    _, errors = await answer(service, guest, text, input={"key": "wish-0003", "memberId": li, "tags": ["vip"]})
    assert errors == ["DENIED"]


async def test_members_are_merged_split_and_erased(service: MembersService, chain: str) -> None:
    request = enrollment(phone("+8613800138000"))
    request.member.enrolled_at.FromDatetime(datetime(2020, 1, 1, tzinfo=UTC))
    old = (await service.enroll(request, staff(chain))).member.id
    young = (await service.enroll(enrollment(), staff(chain))).member.id
    text = """mutation ($input: MergeMembersInput!) { mergeMembers(input: $input) {
        userErrors { code } memberId mergeId repeatedCall } }"""
    wish = {"key": "wish-0001", "memberId": young, "otherMemberId": old}
    merged = (await ask(service, staff(chain), text, input=wish))["mergeMembers"]
    assert merged == {"userErrors": [], "memberId": old, "mergeId": merged["mergeId"], "repeatedCall": False}
    read = "query ($id: ID!) { member(id: $id) { id formerIds } }"
    assert (await ask(service, staff(chain), read, id=young))["member"] == {"id": old, "formerIds": [young]}
    text = (
        "mutation ($input: SplitMembersInput!) { splitMembers(input: $input) { userErrors { code } memberId freedId } }"
    )
    undone = await ask(service, staff(chain), text, input={"key": "wish-0002", "mergeId": merged["mergeId"]})
    assert undone["splitMembers"] == {"userErrors": [], "memberId": old, "freedId": young}
    text = (
        "mutation ($input: EraseMemberInput!) { eraseMember(input: $input) { userErrors { code } memberIds erasedAt } }"
    )
    erased = await ask(service, staff(chain), text, input={"key": "wish-0003", "memberId": old})
    assert erased["eraseMember"] == {"userErrors": [], "memberIds": [old], "erasedAt": "2026-03-01T04:00:00.000Z"}
    read = "query ($id: ID!) { member(id: $id) { erasedAt profile { name identities { value } } } }"
    shown = (await ask(service, staff(chain), read, id=old))["member"]
    assert shown == {"erasedAt": "2026-03-01T04:00:00.000Z", "profile": {"name": "", "identities": []}}


async def test_identities_are_proved_lost_and_changed(service: MembersService, chain: str) -> None:
    li = (await service.enroll(enrollment(), staff(chain))).member.id
    add = """mutation ($input: AddIdentityInput!) { addIdentity(input: $input) {
        userErrors { code field } mergeId member { id profile { identities { kind value } } } } }"""
    card = {"kind": "CARD", "value": "ht 0001"}
    added = await ask(service, staff(chain), add, input={"key": "wish-0001", "memberId": li, "identity": card})
    assert added["addIdentity"] == {
        "userErrors": [],
        "mergeId": None,
        "member": {"id": li, "profile": {"identities": [{"kind": "CARD", "value": "HT0001"}]}},
    }
    account = {"paymentKind": "wechat", "account": "oX1"}
    paid = await ask(service, staff(chain), add, input={"key": "wish-0002", "memberId": li, "paymentAccount": account})
    assert paid["addIdentity"]["userErrors"] == []
    assert len(paid["addIdentity"]["member"]["profile"]["identities"]) == 1
    lost = """mutation ($input: MemberIdentityInput!) { reportIdentityLost(input: $input) {
        userErrors { code field } member { profile { identities { value } } } } }"""
    wish = {"key": "wish-0003", "memberId": li, "identity": card}
    gone = await ask(service, staff(chain), lost, input=wish)
    assert gone["reportIdentityLost"] == {"userErrors": [], "member": {"profile": {"identities": []}}}
    again = await ask(service, staff(chain), add, input={"key": "wish-0004", "memberId": li, "identity": card})
    assert again["addIdentity"]["userErrors"] == [{"code": "IDENTITY_LOST", "field": "identity"}]
    nothing = await ask(service, staff(chain), add, input={"key": "wish-0005", "memberId": li})
    assert [one["code"] for one in nothing["addIdentity"]["userErrors"]] == ["INVALID_IDENTITY"]
