from itertools import count

import pytest

from services.members.domain.chains import Chain, InvalidChainError, check_chain, is_time_zone
from services.members.domain.menu import InvalidMenuItemError, MenuItem, WantedItem, check_items, save_items
from services.members.domain.named import Named
from services.members.domain.stores import (
    MAX_STORES,
    InvalidStoreError,
    Store,
    TooManyStoresError,
    WantedStore,
    check_stores,
    save_stores,
)

CHAIN = Chain("chn_1", "Noodles", "CNY", "Asia/Shanghai", sandbox=False, identity_key=b"k" * 32)


def save(*wanted: WantedStore, known: tuple[Store, ...] = (), count_before: int = 0) -> tuple[list[Store], list[Store]]:
    numbers = count(1)
    saved = save_stores(
        wanted,
        known={store.code: store for store in known},
        count=count_before,
        chain=CHAIN,
        new_id=lambda: f"sto_{next(numbers)}",
        named=Named(),
    )
    return list(saved.stores), list(saved.changed)


@pytest.mark.parametrize(
    ("name", "currency", "time_zone", "field"),
    [
        ("", "CNY", "UTC", "name"),
        ("a\nb", "CNY", "UTC", "name"),
        ("Noodles", "cny", "UTC", "currency"),
        ("Noodles", "CNY", "Mars/Olympus", "timeZone"),
    ],
)
def test_what_is_no_chain_is_refused(name: str, currency: str, time_zone: str, field: str) -> None:
    with pytest.raises(InvalidChainError) as refused:
        check_chain(Chain("chn_1", name, currency, time_zone, sandbox=False, identity_key=b""))
    assert refused.value.field == field


def test_the_secret_of_a_chain_is_not_printed() -> None:
    assert "kkk" not in repr(CHAIN)


@pytest.mark.parametrize("name", ["", "localtime", "America", "/etc/passwd", "../UTC", "Asia/../UTC", "Asia/Nowhere"])
def test_what_is_no_time_zone(name: str) -> None:
    assert not is_time_zone(name)


@pytest.mark.parametrize("name", ["UTC", "Asia/Shanghai", "America/Argentina/Buenos_Aires", "Etc/GMT+8"])
def test_what_is_a_time_zone(name: str) -> None:
    assert is_time_zone(name)


def test_a_new_store_has_the_chains_zone_and_currency() -> None:
    stores, changed = save(WantedStore("a", "Bund"), WantedStore("b", "Opera", "Europe/Paris"))
    assert stores == [
        Store("sto_1", "a", "Bund", "Asia/Shanghai", "CNY", 1),
        Store("sto_2", "b", "Opera", "Europe/Paris", "CNY", 1),
    ]
    assert changed == stores


def test_a_change_makes_a_version_and_the_same_again_makes_none() -> None:
    known = (Store("sto_7", "a", "Bund", "Asia/Shanghai", "CNY", 3), Store("sto_8", "b", "Park", "UTC", "CNY", 1))
    stores, changed = save(WantedStore("a", "Bund"), WantedStore("b", "Park", "Europe/Paris"), known=known)
    assert stores == [known[0], Store("sto_8", "b", "Park", "Europe/Paris", "CNY", 2)]
    assert changed == stores[1:]


def test_a_store_changes_its_region() -> None:
    known = Store("sto_7", "a", "Bund", "Asia/Shanghai", "CNY", 4, "east")
    assert save(WantedStore("a", "Bund", region="east"), known=(known,)) == ([known], [])
    [moved], changed = save(WantedStore("a", "Bund", region="west"), known=(known,))
    assert (moved.version, moved.region, changed) == (5, "west", [moved])
    [left], _ = save(WantedStore("a", "Bund"), known=(moved,))
    assert (left.version, left.region) == (6, "")


def test_a_chain_has_so_many_stores_at_most() -> None:
    known = (Store("sto_7", "a", "Bund", "UTC", "CNY", 1),)
    save(WantedStore("a", "New"), WantedStore("b", "b"), known=known, count_before=MAX_STORES - 1)
    with pytest.raises(TooManyStoresError):
        save(WantedStore("b", "b"), count_before=MAX_STORES)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ([WantedStore(" a", "Bund")], "stores.0.code"),
        ([WantedStore("a", "Bund"), WantedStore("a", "Park")], "stores.1.code"),
        ([WantedStore("a", "  ")], "stores.0.name"),
        ([WantedStore("a", "Bund"), WantedStore("b", "Park", "Nowhere")], "stores.1.timeZone"),
        ([WantedStore("a", "Bund", region=" east")], "stores.0.region"),
        ([WantedStore("a", "Bund", region="x" * 1_000)], "stores.0.region"),
    ],
)
def test_what_is_no_store_is_refused(wanted: list[WantedStore], field: str) -> None:
    with pytest.raises(InvalidStoreError) as refused:
        check_stores(wanted)
    assert refused.value.field == field


def test_another_day_of_launch_is_a_change() -> None:
    known = {"n1": MenuItem("n1", "Noodles", "main", 3_200, 4, "2026-03-01")}
    same, later = (WantedItem("n1", "Noodles", "main", 3_200, launched_on=day) for day in ("2026-03-01", "2026-03-02"))
    check_items([later])
    assert save_items([same], known=known, count=1, named=Named()).changed == ()
    assert save_items([later], known=known, count=1, named=Named()).changed == (
        MenuItem("n1", "Noodles", "main", 3_200, 5, "2026-03-02"),
    )


def test_menu_items_are_versioned_like_stores() -> None:
    known = {"n1": MenuItem("n1", "Noodles", "main", 3_200, 4), "n2": MenuItem("n2", "Tea", "", 0, 1)}
    wanted = [
        WantedItem("n1", "Noodles", "main", 3_200),
        WantedItem("n2", "Tea", "", 500),
        WantedItem("n3", "Egg", "", 200),
    ]
    saved = save_items(wanted, known=known, count=2, named=Named())
    assert [(item.code, item.version) for item in saved.items] == [("n1", 4), ("n2", 2), ("n3", 1)]
    assert [item.code for item in saved.changed] == ["n2", "n3"]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (WantedItem("", "Tea", "", 0), "items.0.code"),
        (WantedItem("t", "", "", 0), "items.0.name"),
        (WantedItem("t", "Tea", "c" * 201, 0), "items.0.category"),
        (WantedItem("t", "Tea", "", -1), "items.0.priceMinor"),
        (WantedItem("t", "Tea", "", 0, launched_on="20260301"), "items.0.launchedOn"),
        (WantedItem("t", "Tea", "", 0, launched_on="2026-02-29"), "items.0.launchedOn"),
        (WantedItem("t", "Tea", "", 0, launched_on="2026-3-1"), "items.0.launchedOn"),
    ],
)
def test_what_is_no_menu_item_is_refused(item: WantedItem, field: str) -> None:
    with pytest.raises(InvalidMenuItemError) as refused:
        check_items([item])
    assert refused.value.field == field
