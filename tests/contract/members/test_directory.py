"""Brands, regions, partners, QR codes, and where stores are, over a real connection and on the real database."""

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from google.protobuf.message import Message

from protos.common.v1 import access_pb2
from protos.common.v1.page_pb2 import Page
from protos.events.v1 import members_pb2 as events_pb2
from protos.members.v1 import chains_pb2
from protos.members.v1 import directory_pb2 as pb
from services.kit.errors import Kind
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from services.members.store.chain_collections import BRANDS
from services.members.store.collections import CHAINS
from tests.support.clock import START
from tests.support.members_service import GATEWAY, MembersService, staff, till

EVENTS = {
    message.DESCRIPTOR.full_name: message
    for message in (events_pb2.BrandSaved, events_pb2.RegionSaved, events_pb2.PartnerSaved)
}
ALWAYS = chains_pb2.OpeningHours(
    weekly=[chains_pb2.OpeningDay(spans=[chains_pb2.OpeningSpan(opens="00:00", closes="24:00")])] * 7
)
NEVER = chains_pb2.OpeningHours(weekly=[chains_pb2.OpeningDay()] * 7)
BUND = chains_pb2.Position(latitude=31.24, longitude=121.49)


async def told(service: MembersService, chain: str) -> list[tuple[str, int, Message]]:
    """Return (aggregate, sequence, body) of each waiting event of the chain's lists."""
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "stream": "members.chain"}).to_list()
    return sorted((row["aggregate"], row["sequence"], EVENTS[row["type"]].FromString(row["body"])) for row in rows)


async def save_regions(service: MembersService, chain: str, **parents: str) -> list[pb.Region]:
    regions = [pb.Region(code=code, name=code, parent=parent) for code, parent in parents.items()]
    request = pb.SaveRegionsRequest(regions=regions)
    return list((await service.call(service.directory.SaveRegions, request, staff(chain))).regions)


async def save_partner(service: MembersService, chain: str, state: pb.PartnerState.ValueType) -> pb.Partner:
    request = pb.SavePartnersRequest(partners=[pb.Partner(code="air", name="Air", state=state)])
    answer: pb.SavePartnersResponse = await service.call(service.directory.SavePartners, request, staff(chain))
    return answer.partners[0]


async def test_brands_are_versioned_and_told(service: MembersService, chain: str, other_chain: str) -> None:
    assert await service.save_brands(chain, "b", "a") == [
        pb.Brand(code="b", name="B", version=1),
        pb.Brand(code="a", name="A", version=1),
    ]
    before = await service.everything()
    await service.save_brands(chain, "a")
    assert await service.everything() == before
    renamed = pb.SaveBrandsRequest(brands=[pb.Brand(code="a", name="Aleph", version=9)])
    await service.call(service.directory.SaveBrands, renamed, staff(chain))
    listed = await service.call(service.directory.ListBrands, pb.ListBrandsRequest(), till(chain, "sto_1"))
    assert [(one.code, one.name, one.version) for one in listed.brands] == [("a", "Aleph", 2), ("b", "B", 1)]
    theirs = await service.call(service.directory.ListBrands, pb.ListBrandsRequest(), staff(other_chain))
    assert list(theirs.brands) == []
    a, b = (f"brd_{sha256(code).hexdigest()[:32]}" for code in (b"a", b"b"))
    assert await told(service, chain) == sorted(
        [
            (a, 1, events_pb2.BrandSaved(code="a", version=1, name="A")),
            (a, 2, events_pb2.BrandSaved(code="a", version=2, name="Aleph")),
            (b, 1, events_pb2.BrandSaved(code="b", version=1, name="B")),
        ]
    )


async def test_a_code_names_one_brand_under_any_concurrency(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    for number in range(10):
        both = await asyncio.gather(
            service.save_brands(chain, f"b{number}"), other_replica.save_brands(chain, f"b{number}")
        )
        assert both[0] == both[1]
    assert await service.database.collection(BRANDS).count_documents({"chain": chain}) == 10
    held = await service.database.collection(CHAINS).find_one({"chain": chain})
    assert held is not None
    assert held["brands"] == {"saves": 10, "count": 10}


async def test_regions_lie_in_each_other_and_never_in_themselves(service: MembersService, chain: str) -> None:
    await save_regions(service, chain, east="", shanghai="east")
    circle = pb.SaveRegionsRequest(regions=[pb.Region(code="east", name="East", parent="shanghai")])
    refused = await service.refusal(service.directory.SaveRegions, circle, staff(chain))
    assert (refused.kind, refused.code, refused.field) == (Kind.INVALID, "REGION_CYCLE", "regions.0.parent")
    lost = pb.SaveRegionsRequest(regions=[pb.Region(code="west", name="West", parent="mars")])
    refused = await service.refusal(service.directory.SaveRegions, lost, staff(chain))
    assert (refused.code, refused.field) == ("REGION_NOT_FOUND", "regions.0.parent")
    assert [body for _, _, body in await told(service, chain) if body.parent] == [  # type: ignore[attr-defined]  # all are regions
        events_pb2.RegionSaved(code="shanghai", version=1, name="shanghai", parent="east")
    ]


async def test_two_changes_never_close_a_circle(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    """Each is right by itself; one after the other, the second is refused."""
    for number in range(5):
        a, b = f"a{number}", f"b{number}"
        await save_regions(service, chain, **{a: "", b: ""})
        answers = await asyncio.gather(
            save_regions(service, chain, **{a: b}),
            save_regions(other_replica, chain, **{b: a}),
            return_exceptions=True,
        )
        assert sorted(getattr(one, "code", "saved") for one in answers) == ["REGION_CYCLE", "saved"]


async def test_regions_of_stores_are_free_until_one_is_saved(service: MembersService, chain: str) -> None:
    bund = chains_pb2.StoreInput(code="b", name="Bund", region="east")
    await service.save_stores(chain, bund)
    await save_regions(service, chain, west="")
    [renamed] = await service.save_stores(chain, chains_pb2.StoreInput(code="b", name="The Bund", region="east"))
    assert (renamed.region, renamed.version) == ("east", 2)
    for code, region in (("b", "south"), ("p", "east")):
        wanted = chains_pb2.StoreInput(code=code, name="Store", region=region)
        request = chains_pb2.SaveStoresRequest(stores=[wanted])
        refused = await service.refusal(service.chains.SaveStores, request, staff(chain))
        assert (refused.kind, refused.code, refused.field) == (Kind.NOT_FOUND, "REGION_NOT_FOUND", "stores.0.region")
    [moved] = await service.save_stores(chain, chains_pb2.StoreInput(code="b", name="Bund", region="west"))
    assert moved.region == "west"


async def test_stores_and_dishes_name_saved_brands_only(service: MembersService, chain: str) -> None:
    store = chains_pb2.SaveStoresRequest(stores=[chains_pb2.StoreInput(code="b", name="Bund", brand="a")])
    refused = await service.refusal(service.chains.SaveStores, store, staff(chain))
    assert (refused.code, refused.field) == ("BRAND_NOT_FOUND", "stores.0.brand")
    dish = chains_pb2.SaveMenuItemsRequest(items=[chains_pb2.MenuItem(code="n", name="Noodles", brand="a")])
    refused = await service.refusal(service.chains.SaveMenuItems, dish, staff(chain))
    assert (refused.code, refused.field) == ("BRAND_NOT_FOUND", "items.0.brand")
    await service.save_brands(chain, "a")
    saved = await service.call(service.chains.SaveStores, store, staff(chain))
    assert saved.stores[0].brand == "a"
    assert (await service.call(service.chains.SaveMenuItems, dish, staff(chain))).items[0].brand == "a"


async def test_what_is_not_said_of_a_store_stays_and_what_is_empty_goes(service: MembersService, chain: str) -> None:
    await service.save_brands(chain, "a")
    address = chains_pb2.Address(lines=["1 Bund"], city="Shanghai", postal_code="200000", country="CN")
    whole = chains_pb2.StoreInput(
        code="b", name="Bund", brand="a", address=address, position=BUND, hours=ALWAYS, closed=True
    )
    [first] = await service.save_stores(chain, whole)
    assert (first.brand, first.address, first.position, first.hours) == ("a", address, BUND, ALWAYS)
    assert (first.closed, first.is_open, first.version) == (True, False, 1)
    before = await service.everything()
    assert await service.save_stores(chain, whole) == [first]
    assert await service.save_stores(chain, chains_pb2.StoreInput(code="b", name="Bund")) == [first]
    assert await service.everything() == before
    [bare] = await service.save_stores(
        chain,
        chains_pb2.StoreInput(
            code="b",
            name="Bund",
            brand="",
            address=chains_pb2.Address(),
            position=chains_pb2.Position(),
            hours=chains_pb2.OpeningHours(),
            closed=False,
        ),
    )
    assert bare == chains_pb2.Store(
        id=first.id, code="b", name="Bund", time_zone="Asia/Shanghai", currency="CNY", version=2
    )
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "aggregate": first.id}).to_list()
    bodies = [events_pb2.StoreSaved.FromString(row["body"]) for row in rows]
    assert sorted((one.version, one.brand, one.closed) for one in bodies) == [(1, "a", True), (2, "", False)]


async def test_the_nearest_stores_of_the_chain(service: MembersService, chain: str, other_chain: str) -> None:
    def at(code: str, latitude: float, **more: Any) -> chains_pb2.StoreInput:
        position = chains_pb2.Position(latitude=latitude, longitude=121.49)
        return chains_pb2.StoreInput(code=code, name=code, position=position, **more)

    await service.save_stores(
        chain,
        at("far", 31.34, hours=ALWAYS),
        at("near", 31.25, hours=NEVER),
        at("gone", 31.24, hours=ALWAYS, closed=True),
        at("middle", 31.26),
        chains_pb2.StoreInput(code="nowhere", name="nowhere"),
    )
    await service.save_stores(other_chain, at("theirs", 31.24))

    async def nearest(**asked: Any) -> list[tuple[str, int]]:
        request = chains_pb2.FindNearestStoresRequest(latitude=31.24, longitude=121.49, **asked)
        answer = await service.call(service.chains.FindNearestStores, request, staff(chain))
        return [(one.store.code, one.distance_m) for one in answer.stores]

    assert await nearest(first=100) == [("near", 1_113), ("middle", 2_226), ("far", 11_132)]
    assert await nearest(first=2) == [("near", 1_113), ("middle", 2_226)]
    assert await nearest(first=100, max_distance_m=2_227) == [("near", 1_113), ("middle", 2_226)]
    assert await nearest(first=100, max_distance_m=2_226) == [("near", 1_113)]
    assert await nearest(first=1, open_now=True) == [("far", 11_132)]
    for first, within, field in ((0, 0, "first"), (101, 0, "first"), (1, -1, "maxDistanceM")):
        asked = chains_pb2.FindNearestStoresRequest(first=first, max_distance_m=within)
        refused = await service.refusal(service.chains.FindNearestStores, asked, staff(chain))
        assert (refused.code, refused.field) == ("INVALID_SEARCH", field)


async def test_only_the_chains_own_people_see_what_a_dish_costs(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    tea = chains_pb2.MenuItem(code="t", name="Tea", price_minor=500, cost=chains_pb2.MenuItemCost(minor=120))
    await service.call(service.chains.SaveMenuItems, chains_pb2.SaveMenuItemsRequest(items=[tea]), staff(chain))
    chief, analyst, clerk = (staff(chain, scopes=frozenset({one})) for one in ("chain:write", "insight:read", "x:y"))
    till_ = replace(till(chain, store), scopes=frozenset({"chain:write", "insight:read"}))
    guest, partner, points = (replace(till_, kind=kind) for kind in (Caller.MEMBER, Caller.PARTNER, Caller.SERVICE))
    sees = []
    for who in (chief, analyst, points, clerk, till_, guest, partner):
        listed = await service.call(service.chains.ListMenuItems, chains_pb2.ListMenuItemsRequest(), who)
        found = await service.call(service.chains.GetMenuItems, chains_pb2.GetMenuItemsRequest(codes=["t"]), who)
        assert list(listed.items) == list(found.items)
        sees.append(listed.items[0].HasField("cost"))
    assert sees == [True] * 3 + [False] * 4
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "stream": "members.menu"}).to_list()
    assert [events_pb2.MenuItemSaved.FromString(row["body"]).cost_minor for row in rows] == [120]


async def test_a_till_says_what_its_store_has_run_out_of(service: MembersService, chain: str) -> None:
    store, other = await service.store(chain), await service.store(chain, "park")
    tea = chains_pb2.SaveMenuItemsRequest(items=[chains_pb2.MenuItem(code="t", name="Tea")])
    await service.call(service.chains.SaveMenuItems, tea, staff(chain))
    keeper = replace(till(chain, store), scopes=frozenset({"stock:write"}))
    out = chains_pb2.SetStockRequest(code="t", in_stock=False)
    for _ in range(2):
        item = (await service.call(service.chains.SetStock, out, keeper)).item
        assert (item.in_stock, list(item.stock_exception_store_ids), item.version) == (True, [store], 2)
    refused = await service.refusal(
        service.chains.SetStock, chains_pb2.SetStockRequest(code="t", store_id=other), keeper
    )
    assert (refused.kind, refused.field) == (Kind.DENIED, "storeId")
    for request, code in (
        (chains_pb2.SetStockRequest(code="x"), "MENU_ITEM_NOT_FOUND"),
        (chains_pb2.SetStockRequest(code="t", store_id="sto_x"), "STORE_NOT_FOUND"),
    ):
        assert (await service.refusal(service.chains.SetStock, request, staff(chain))).code == code
    everywhere = (await service.call(service.chains.SetStock, out, staff(chain))).item
    assert (everywhere.in_stock, list(everywhere.stock_exception_store_ids), everywhere.version) == (False, [], 3)
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "stream": "members.menu"}).to_list()
    bodies = [events_pb2.MenuItemSaved.FromString(row["body"]) for row in rows]
    assert sorted((one.version, one.in_stock, [*one.stock_exception_store_ids]) for one in bodies) == [
        (1, True, []),
        (2, True, [store]),
        (3, False, []),
    ]


async def test_the_key_of_a_paused_partner_is_nobodys(service: MembersService, chain: str) -> None:
    wanted = chains_pb2.CreateApiKeyRequest(kind=access_pb2.CALLER_KIND_PARTNER, subject="air", scopes=["members:read"])
    key = await service.call(service.chains.CreateApiKey, wanted, staff(chain))
    secret = chains_pb2.AuthenticateRequest(secret_sha256=sha256(key.secret.encode()).digest())
    states = []
    for state in (None, pb.PARTNER_STATE_ACTIVE, pb.PARTNER_STATE_PAUSED, pb.PARTNER_STATE_ACTIVE):
        if state is not None:
            assert (await save_partner(service, chain, state)).state == state
        try:
            states.append((await service.call(service.chains.Authenticate, secret, GATEWAY)).id == key.id)
        except RemoteProblem as refused:
            states.append(refused.code)
    assert states == [True, True, "API_KEY_NOT_FOUND", True]
    assert [(sequence, body) for _, sequence, body in await told(service, chain)] == [
        (number, events_pb2.PartnerSaved(code="air", version=number, name="Air", state=state))
        for number, state in ((1, "active"), (2, "paused"), (3, "active"))
    ]
    stateless = pb.SavePartnersRequest(partners=[pb.Partner(code="air", name="Air")])
    refusal = await service.refusal(service.directory.SavePartners, stateless, staff(chain))
    assert (refusal.kind, refusal.field) == (Kind.INVALID, "partners.0.state")


PLACES = [pb.Place(spot=pb.SPOT_TABLE, label="12"), pb.Place(spot=pb.SPOT_DOOR)]


async def make_codes(service: MembersService, chain: str, store: str, key: str = "codes-001") -> list[str]:
    request = pb.CreateQrCodesRequest(key=key, store_id=store, places=PLACES)
    return list((await service.call(service.directory.CreateQrCodes, request, staff(chain))).codes)


async def code_of(service: MembersService, chain: str, code: str) -> pb.QrCode:
    guest = replace(staff(chain), kind=Caller.MEMBER, id="mem_1", scopes=frozenset())
    answer: pb.GetQrCodeResponse = await service.call(
        service.directory.GetQrCode, pb.GetQrCodeRequest(code=code), guest
    )
    return answer.code


async def test_a_code_says_where_it_hangs_until_it_is_revoked(
    service: MembersService, chain: str, other_chain: str
) -> None:
    store = await service.store(chain)
    [table, door] = await make_codes(service, chain, store)
    before = await service.everything()
    assert await make_codes(service, chain, store) == [table, door]
    assert await service.everything() == before
    assert set(await make_codes(service, chain, store, "codes-002")).isdisjoint({table, door})
    found = await code_of(service, chain, table)
    assert (found.code, found.store.id, found.place, found.good) == (table, store, PLACES[0], True)
    with pytest.raises(RemoteProblem) as nobody:
        await code_of(service, other_chain, table)
    assert nobody.value.code == "QR_CODE_NOT_FOUND"
    revoked = await service.call(service.directory.RevokeQrCode, pb.RevokeQrCodeRequest(code=table), staff(chain))
    assert (revoked.code.good, revoked.code.revoked_at) == (False, to_timestamp(START))
    assert [(await code_of(service, chain, one)).good for one in (table, door)] == [False, True]
    await service.save_stores(chain, chains_pb2.StoreInput(code="bund", name="bund", closed=True))
    assert (await code_of(service, chain, door)).good is False


async def list_codes(
    service: MembersService, by: Principal, store: str, *, first: int = 20, after: str = ""
) -> pb.ListQrCodesResponse:
    request = pb.ListQrCodesRequest(store_id=store, page=Page(first=first, after=after))
    answer: pb.ListQrCodesResponse = await service.call(service.directory.ListQrCodes, request, by)
    return answer


async def test_a_stores_codes_are_listed_page_by_page(service: MembersService, chain: str, other_chain: str) -> None:
    store, other = await service.store(chain), await service.store(chain, "park")
    await make_codes(service, chain, other, "codes-000")
    made = sorted([*await make_codes(service, chain, store), *await make_codes(service, chain, store, "codes-002")])
    await service.call(service.directory.RevokeQrCode, pb.RevokeQrCodeRequest(code=made[0]), staff(chain))
    page = await list_codes(service, staff(chain), store, first=3)
    assert [(one.code, one.good) for one in page.codes] == list(zip(made, (False, True, True), strict=False))
    page = await list_codes(service, staff(chain), store, first=3, after=page.end_cursor)
    assert ([one.code for one in page.codes], page.end_cursor) == (made[3:], "")
    with pytest.raises(RemoteProblem) as refused:
        await list_codes(service, staff(chain, stores=[other]), store)
    assert refused.value.kind is Kind.DENIED
    with pytest.raises(RemoteProblem) as unknown:
        await list_codes(service, staff(other_chain), store)
    assert unknown.value.code == "STORE_NOT_FOUND"


async def test_who_may_make_codes(service: MembersService, chain: str) -> None:
    store, other = await service.store(chain), await service.store(chain, "park")
    branch = staff(chain, stores=[other])
    request = pb.CreateQrCodesRequest(key="codes-001", store_id=store, places=PLACES)
    assert (await service.refusal(service.directory.CreateQrCodes, request, branch)).kind is Kind.DENIED
    [table, _] = await make_codes(service, chain, store)
    revoke = pb.RevokeQrCodeRequest(code=table)
    assert (await service.refusal(service.directory.RevokeQrCode, revoke, branch)).kind is Kind.DENIED
    for wrong, code in (
        (pb.CreateQrCodesRequest(key="codes-009", store_id="sto_x", places=PLACES), "STORE_NOT_FOUND"),
        (pb.CreateQrCodesRequest(key="codes-001", store_id=store, places=PLACES[:1]), "KEY_REUSED"),
        (pb.CreateQrCodesRequest(key="codes-009", store_id=store, places=PLACES * 501), "TOO_MANY"),
        (pb.CreateQrCodesRequest(key="codes-009", store_id=store, places=[pb.Place()]), "INVALID_QR_CODE"),
    ):
        assert (await service.refusal(service.directory.CreateQrCodes, wrong, staff(chain))).code == code
