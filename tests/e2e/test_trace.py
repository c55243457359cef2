"""One trace covers a purchase's whole way, over gRPC and over the broker."""

from pathlib import Path
from uuid import uuid4

from infra.local.settings import Servers
from tests.e2e.guests import enroll, receipt, record
from tests.support.collector import SeenSpan, collecting
from tests.support.eventually import eventually
from tests.support.platform import Platform

SERVICES = {"gateway", "points", "members", "campaigns", "feedback"}


async def test_one_trace_from_the_till_to_every_effect(tmp_path: Path, mongo_url: str, amqp_url: str) -> None:
    with collecting() as collector:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        servers = Servers(mongo_url, amqp_url)
        namespace = f"t{uuid4().hex[:12]}_"
        with Platform(tmp_path, servers=servers, namespace=namespace, environ=environ) as platform:
            chain = await platform.open_chain("trace-chain", stores={"A": "Bund"})
            ada = await enroll(platform, chain, "ada")
            await record(platform, chain.staff_key, receipt(chain, "R1", ada, paid_minor=50_000))

            def whole_way() -> list[SeenSpan]:
                booked = [
                    spans
                    for spans in collector.traces().values()
                    if any(span.name.endswith("Points/RecordPurchase") for span in spans)
                ]
                assert len(booked) == 1
                assert {span.service for span in booked[0]} == SERVICES
                assert sum(span.name == "handle TierChanged" for span in booked[0]) == 4
                return booked[0]

            spans = await eventually(whole_way, within_s=30)
    # Every span but the first hangs on another one of the same trace.
    ids = {span.id for span in spans}
    assert [span.service for span in spans if span.parent not in ids] == ["gateway"]
    handled = {(span.service, span.name) for span in spans if span.name.startswith("handle")}
    assert handled == {
        (service, f"handle {event}")
        for service in ("members", "campaigns", "feedback", "points")
        for event in ("PurchaseBooked", "TierChanged")
    }
