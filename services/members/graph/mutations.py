"""What can be told to members."""

import strawberry

from services.members.graph.api_keys import ApiKeyMutation
from services.members.graph.configuration import ConfigurationMutation
from services.members.graph.consents import ConsentMutation
from services.members.graph.enrollment import EnrollmentMutation


@strawberry.type
class Mutation(EnrollmentMutation, ConfigurationMutation, ApiKeyMutation, ConsentMutation):
    """All of it."""
