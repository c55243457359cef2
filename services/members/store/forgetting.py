"""What is deleted of a person that is erased, beside the members' own documents, which stay without the person.

A collection that keeps anything of a person under (chain, member) is named here; what is kept in clear elsewhere, or
under another key, must not tell who somebody is.
"""

from services.kit.mongo.collections import Keyed
from services.members.store.account_managers import CARE
from services.members.store.activities import ACTIVITIES
from services.members.store.cards import CARD_NUMBERS, CARDS
from services.members.store.consents import CONSENTS
from services.members.store.follow_ups import FOLLOW_UPS
from services.members.store.households import HOMES
from services.members.store.likenesses import DUPLICATES, LIKENESSES
from services.members.store.notes import NOTES
from services.members.store.referrals import MEMBER_REFERRAL_CODES, REFERRAL_CODES, REFERRALS
from services.members.store.reviews import REVIEWS

FORGOTTEN: tuple[Keyed, ...] = (
    CARDS,
    CARD_NUMBERS,
    CARE,
    CONSENTS,
    FOLLOW_UPS,
    HOMES,
    NOTES,
    ACTIVITIES,
    REFERRALS,
    REFERRAL_CODES,
    MEMBER_REFERRAL_CODES,
    REVIEWS,
    LIKENESSES,
    DUPLICATES,
)
