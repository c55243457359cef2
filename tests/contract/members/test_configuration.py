"""A configuration applied to another chain, over a real connection and on the real database."""

import json
from typing import Any

from protos.members.v1 import chains_pb2
from protos.members.v1 import configuration_pb2 as pb
from protos.members.v1.configuration_pb2_grpc import ConfigurationsStub
from services.kit.errors import Kind
from services.kit.outbox.outbox import OUTBOX
from tests.support.members_service import MembersService, staff

EVERYTHING = {
    "format": 1,
    "currency": "CNY",
    "brands": [{"code": "a", "name": "Alpha"}],
    "regions": [{"code": "e", "name": "East"}],
    "stores": [{"code": f"s{number:04}", "name": "Store", "region": "e", "brand": "a"} for number in range(1_200)],
    "menu": [{"code": "t", "name": "Tea", "priceMinor": 500, "costMinor": 120, "brand": "a"}],
}


async def apply(service: MembersService, chain: str, document: Any, **more: Any) -> pb.ApplyConfigurationResponse:
    request = pb.ApplyConfigurationRequest(document=json.dumps(document), **{"key": "apply-0001", **more})
    method = service.channel.stub(ConfigurationsStub).ApplyConfiguration
    answer: pb.ApplyConfigurationResponse = await service.call(method, request, staff(chain))
    return answer


async def export(service: MembersService, chain: str) -> str:
    method = service.channel.stub(ConfigurationsStub).ExportConfiguration
    return str((await service.call(method, pb.ExportConfigurationRequest(), staff(chain))).document)


def added(answer: pb.ApplyConfigurationResponse) -> dict[int, tuple[int, int]]:
    return {one.part: (one.added, one.changed) for one in answer.compared.counts}


async def test_one_chain_is_made_as_another(service: MembersService, chain: str, other_chain: str) -> None:
    before = await service.everything()
    tried = await apply(service, chain, EVERYTHING, dry_run=True)
    assert await service.everything() == before
    done = await apply(service, chain, EVERYTHING)
    assert done == tried
    assert added(done) == {
        pb.CONFIGURATION_PART_BRANDS: (1, 0),
        pb.CONFIGURATION_PART_REGIONS: (1, 0),
        pb.CONFIGURATION_PART_STORES: (1_200, 0),
        pb.CONFIGURATION_PART_MENU: (1, 0),
    }
    first = await export(service, chain)
    assert (await apply(service, other_chain, json.loads(first))).repeated_call is False
    assert await export(service, other_chain) == first
    assert await service.database.collection(OUTBOX).count_documents({"chain": other_chain}) == 1_203

    held = await service.everything()
    again = await apply(service, chain, EVERYTHING)
    assert (again.repeated_call, again.compared) == (True, pb.Compared())
    assert await service.everything() == held
    anew = await apply(service, chain, EVERYTHING, key="apply-0002")
    assert set(added(anew).values()) == {(0, 0)}
    assert await service.database.collection(OUTBOX).count_documents({"chain": chain}) == 1_203


async def test_a_part_is_applied_alone_and_the_rest_stays(service: MembersService, chain: str) -> None:
    await apply(service, chain, {**EVERYTHING, "stores": []})
    out = chains_pb2.SetStockRequest(code="t", in_stock=False)
    await service.call(service.chains.SetStock, out, staff(chain))
    changed = {**EVERYTHING, "brands": [], "menu": [{"code": "t", "name": "Tea", "priceMinor": 600}]}
    done = await apply(service, chain, changed, key="apply-0002", parts=[pb.CONFIGURATION_PART_MENU])
    assert [(line.code, line.field, line.before, line.after) for line in done.compared.lines] == [
        ("t", "brand", '"a"', ""),
        ("t", "costMinor", "120", ""),
        ("t", "priceMinor", "500", "600"),
    ]
    menu = await service.call(service.chains.ListMenuItems, chains_pb2.ListMenuItemsRequest(), staff(chain))
    assert list(menu.items) == [
        chains_pb2.MenuItem(code="t", name="Tea", price_minor=600, version=3, on_sale=True, in_stock=False, brand="")
    ]
    assert json.loads(await export(service, chain))["stores"] == []


async def test_a_wrong_thing_refuses_all(service: MembersService, chain: str) -> None:
    wrong = {**EVERYTHING, "menu": [{"code": "t", "name": "Tea", "priceMinor": 1, "brand": "x"}]}
    method = service.channel.stub(ConfigurationsStub).ApplyConfiguration
    request = pb.ApplyConfigurationRequest(key="apply-0001", document=json.dumps(wrong))
    refused = await service.refusal(method, request, staff(chain))
    assert (refused.kind, refused.code, refused.field) == (Kind.NOT_FOUND, "BRAND_NOT_FOUND", "menu.0.brand")
    await apply(service, chain, {"format": 1, "currency": "CNY"})
    reused = await service.refusal(method, request, staff(chain))
    assert (reused.kind, reused.code) == (Kind.CONFLICT, "KEY_REUSED")
    branch = staff(chain, stores=["sto_1"])
    assert (await service.refusal(method, request, branch)).kind is Kind.DENIED
