"""What can be told to members."""

import strawberry

from services.members.graph.account_managers import ManagerMutation
from services.members.graph.api_keys import ApiKeyMutation
from services.members.graph.attributes import AttributeMutation
from services.members.graph.changes import ChangeMutation
from services.members.graph.codes import QrCodeMutation
from services.members.graph.configuration import ChainConfigurationMutation
from services.members.graph.consents import ConsentMutation
from services.members.graph.directory import DirectoryMutation
from services.members.graph.duplicates import DuplicateMutation
from services.members.graph.enrollment import EnrollmentMutation
from services.members.graph.exports import ExportMutation
from services.members.graph.follow_ups import FollowUpMutation
from services.members.graph.households import HouseholdMutation
from services.members.graph.identities import IdentityMutation
from services.members.graph.imports import ImportMutation
from services.members.graph.leaderboards import LeaderboardMutation
from services.members.graph.notes import NoteMutation
from services.members.graph.record_activities import ActivityMutation
from services.members.graph.referrals import ReferralMutation
from services.members.graph.reviews import ReviewMutation
from services.members.graph.saving import SavingMutation
from services.members.graph.staff import StaffMutation


@strawberry.type
class Mutation(
    EnrollmentMutation,
    IdentityMutation,
    ChangeMutation,
    ConsentMutation,
    ReferralMutation,
    ActivityMutation,
    SavingMutation,
    DirectoryMutation,
    QrCodeMutation,
    ChainConfigurationMutation,
    StaffMutation,
    LeaderboardMutation,
    ImportMutation,
    HouseholdMutation,
    ExportMutation,
    ApiKeyMutation,
    ReviewMutation,
    DuplicateMutation,
    AttributeMutation,
    NoteMutation,
    FollowUpMutation,
    ManagerMutation,
):
    """All of it."""
