"""What answers calls about members: who they are, what they did, what looks odd about them."""

from secrets import token_bytes

from protos.members.v1 import (
    activities_pb2_grpc,
    cards_pb2_grpc,
    duplicates_pb2_grpc,
    members_pb2_grpc,
    referrals_pb2_grpc,
    reviews_pb2_grpc,
)
from services.kit.ids import make_id
from services.kit.rpc.server import Servicer, registered
from services.members.main.shared import Shared
from services.members.rpc.activities import ActivitiesServicer
from services.members.rpc.cards import CardsServicer
from services.members.rpc.duplicates import DuplicatesServicer
from services.members.rpc.members import MembersServicer
from services.members.rpc.records import Records
from services.members.rpc.referrals import ReferralsServicer
from services.members.rpc.reviews import ReviewsServicer
from services.members.store.activities import MongoActivities
from services.members.store.likenesses import MongoDuplicates
from services.members.store.referrals import MongoReferralBook
from services.members.store.reviews import MongoReviewRules, MongoReviews
from services.members.store.timeline import MongoTimelines
from services.members.usecases.activities import ActivityDesk
from services.members.usecases.duplicates import DuplicateDesk
from services.members.usecases.enrollment import Batches, Desk
from services.members.usecases.reviews import ReviewDesk


def of_people(shared: Shared, enrollments: Batches) -> list[Servicer]:
    """Return what answers such calls; `enrollments` is where new members go."""
    database, vault, clocks = shared.database, shared.vault, shared.clocks
    chains, members, looks, cards = shared.chains, shared.members, shared.looks, shared.cards
    for_members = MembersServicer(
        desk=Desk(chains=chains, batches=enrollments, codes=shared.codes, make_id=make_id),
        ids=members,
        stores=shared.stores,
        clocks=clocks,
        changes=shared.changes,
        records=Records(looks=looks, timelines=MongoTimelines(database), erasures=vault),
        cards=cards,
    )
    for_cards = CardsServicer(cards=cards, clocks=clocks, random_bytes=token_bytes)
    for_referrals = ReferralsServicer(shared.changes, MongoReferralBook(database), clocks, random_bytes=token_bytes)
    activities = ActivityDesk(chains, shared.stores, members, cards, MongoActivities(database, vault), looks, make_id)
    reviews = ReviewDesk(chains, members, MongoReviews(database, vault), MongoReviewRules(database))
    duplicates = DuplicateDesk(MongoDuplicates(database), members, looks)
    return [
        registered(members_pb2_grpc, "Members", for_members),
        registered(cards_pb2_grpc, "Cards", for_cards),
        registered(referrals_pb2_grpc, "Referrals", for_referrals),
        registered(activities_pb2_grpc, "Activities", ActivitiesServicer(activities, clocks)),
        registered(reviews_pb2_grpc, "Reviews", ReviewsServicer(reviews, clocks)),
        registered(duplicates_pb2_grpc, "Duplicates", DuplicatesServicer(duplicates, clocks, make_id)),
    ]
