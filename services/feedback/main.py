"""The feedback service: builds everything from its config and runs it."""

from protos.feedback.v1 import feedback_pb2
from protos.feedback.v1.feedback_pb2_grpc import add_FeedbackServicer_to_server
from services.feedback.clients import MembersClient
from services.feedback.consumers import NewsHandler
from services.feedback.rpc import FeedbackServicer
from services.feedback.store.member_records import sections
from services.feedback.store.migrations import MIGRATIONS
from services.feedback.store.voices import MongoVoices
from services.feedback.usecases.answers import Listener
from services.feedback.usecases.merges import erase_member
from services.kit.chassis import Chassis
from services.kit.config import ServiceConfig
from services.kit.erasures import Erasure, ErasureClient, ForgetAgain
from services.kit.ids import make_id
from services.kit.jobs import Jobs
from services.kit.member_records import MemberRecordsServicer
from services.kit.mongo.database import Session
from services.kit.service import Service, main


def build(config: ServiceConfig) -> Service:
    """Return the feedback service."""
    chassis = Chassis.of(config)
    voices = MongoVoices(chassis.database, chassis.outbox)
    members = MembersClient(chassis.channel("members"))
    servicer = FeedbackServicer(
        listener=Listener(work=voices, known=voices, members=members, make_id=make_id),
        voices=voices,
        clocks=chassis.clocks,
    )
    registration = add_FeedbackServicer_to_server, servicer, feedback_pb2.DESCRIPTOR.services_by_name["Feedback"]
    return chassis.service(
        migrations=MIGRATIONS,
        servicers=[registration, MemberRecordsServicer(sections(chassis.database)).registration],
        handle=NewsHandler(voices.unit, make_id=make_id, clocks=chassis.clocks),
        parts=[Jobs([_forget_again(chassis, voices).job], chassis.leases())],
    )


def _forget_again(chassis: Chassis, voices: MongoVoices) -> ForgetAgain:
    async def forget(chain: str, erased: Erasure, session: Session) -> None:
        await erase_member(chain, erased.member, at=erased.at, erasures=voices.unit(session))

    source = ErasureClient(chassis.channel("members"), service="feedback")
    return ForgetAgain(chassis.database, source, chassis.outbox, forget)


if __name__ == "__main__":
    main("feedback", build)
