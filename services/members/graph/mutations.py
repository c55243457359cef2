"""What can be told to members."""

import strawberry

from services.members.graph.api_keys import ApiKeyMutation
from services.members.graph.changes import ChangeMutation
from services.members.graph.configuration import ConfigurationMutation
from services.members.graph.enrollment import EnrollmentMutation
from services.members.graph.identities import IdentityMutation


@strawberry.type
class Mutation(EnrollmentMutation, IdentityMutation, ChangeMutation, ConfigurationMutation, ApiKeyMutation):
    """All of it."""
