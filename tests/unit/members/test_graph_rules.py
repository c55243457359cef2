"""The graph asks of its callers what the contract asks: a rule that is too wide would only show as a later refusal."""

import pytest

from protos.members.v1 import (
    account_managers_pb2,
    activities_pb2,
    attributes_pb2,
    care_pb2,
    chains_pb2,
    configuration_pb2,
    directory_pb2,
    duplicates_pb2,
    exports_pb2,
    follow_ups_pb2,
    jobs_pb2,
    members_pb2,
    notes_pb2,
    referrals_pb2,
    reviews_pb2,
    staff_pb2,
)
from services.kit.graph.rules import fields, rule_of
from services.kit.principal import Caller
from services.kit.rpc.access import rules
from services.members.graph import subgraph

NOT_IN_THE_GRAPH = {Caller.SERVICE, Caller.OPERATOR}
CALLS = {
    ("Query", "member"): "GetMembers",
    ("Query", "chain"): "GetChain",
    ("Query", "stores"): "GetStores",
    ("Query", "menu"): "ListMenuItems",
    ("Query", "nearestStores"): "FindNearestStores",
    ("Query", "brands"): "ListBrands",
    ("Query", "regions"): "ListRegions",
    ("Query", "partners"): "ListPartners",
    ("Query", "qrCode"): "GetQrCode",
    ("Query", "qrCodes"): "ListQrCodes",
    ("Query", "staff"): "ListStaff",
    ("Query", "staffMember"): "GetStaff",
    ("Query", "staffSettings"): "GetStaffSettings",
    ("Query", "staffLeaderboard"): "GetLeaderboard",
    ("Mutation", "saveStaff"): "SaveStaff",
    ("Mutation", "recordTraining"): "RecordTraining",
    ("Mutation", "saveStaffSettings"): "SaveStaffSettings",
    ("Mutation", "setStaffTargets"): "SetStaffTargets",
    ("Query", "chainConfiguration"): "ExportConfiguration",
    ("Query", "chainConfigurationDiff"): "CompareConfiguration",
    ("Mutation", "applyChainConfiguration"): "ApplyConfiguration",
    ("Member", "store"): "GetStores",
    ("Mutation", "enrollMember"): "EnrollMember",
    ("Mutation", "enrollMembers"): "EnrollMembers",
    ("Query", "timeline"): "GetTimeline",
    ("Query", "personalDataLooks"): "ListLooks",
    ("IdentityPayload", "member"): "GetMembers",
    ("Mutation", "addIdentity"): "AddIdentity",
    ("Mutation", "removeIdentity"): "RemoveIdentity",
    ("Mutation", "reportIdentityLost"): "ReportLost",
    ("Mutation", "replaceIdentity"): "ReplaceIdentity",
    ("Mutation", "mergeMembers"): "MergeMembers",
    ("Mutation", "splitMembers"): "SplitMembers",
    ("Mutation", "updateProfile"): "UpdateProfile",
    ("Mutation", "eraseMember"): "EraseMember",
    ("Mutation", "saveStores"): "SaveStores",
    ("Mutation", "saveMenuItems"): "SaveMenuItems",
    ("Mutation", "setStock"): "SetStock",
    ("Mutation", "saveBrands"): "SaveBrands",
    ("Mutation", "saveRegions"): "SaveRegions",
    ("Mutation", "savePartners"): "SavePartners",
    ("Mutation", "createQrCodes"): "CreateQrCodes",
    ("Mutation", "revokeQrCode"): "RevokeQrCode",
    ("Mutation", "createApiKey"): "CreateApiKey",
    ("Mutation", "revokeApiKey"): "RevokeApiKey",
    ("Member", "consents"): "GetConsents",
    ("Member", "consentHistory"): "ListConsents",
    ("Mutation", "recordConsents"): "RecordConsents",
    ("Query", "importJob"): "GetImportJob",
    ("Query", "importJobs"): "ListImportJobs",
    ("Mutation", "createImportJob"): "CreateImportJob",
    ("Mutation", "importRows"): "ImportRows",
    ("Mutation", "closeImportJob"): "CloseImportJob",
    ("Member", "household"): "GetHouseholds",
    ("Mutation", "addToHousehold"): "AddToHousehold",
    ("Mutation", "removeFromHousehold"): "RemoveFromHousehold",
    ("Member", "referrals"): "GetReferrals",
    ("Mutation", "createReferralCode"): "CreateReferralCode",
    ("Mutation", "setReferrer"): "SetReferrer",
    ("Member", "activities"): "ListActivities",
    ("Activity", "store"): "GetStores",
    ("Mutation", "recordActivities"): "RecordActivities",
    ("Query", "reviewRules"): "GetReviewRules",
    ("Query", "reviews"): "ListReviews",
    ("Mutation", "saveReviewRules"): "SaveReviewRules",
    ("Mutation", "resolveReview"): "ResolveReview",
    ("Query", "likelyDuplicates"): "ListDuplicates",
    ("Mutation", "dismissDuplicate"): "DismissDuplicate",
    ("Query", "export"): "GetExport",
    ("Query", "exports"): "ListExports",
    ("Mutation", "startExport"): "StartExport",
    ("Mutation", "cancelExport"): "CancelExport",
    ("Member", "attributes"): "GetAttributes",
    ("Member", "care"): "GetCare",
    ("Care", "favouriteStore"): "GetCare",
    ("Query", "managerRules"): "GetManagerRules",
    ("Query", "managedMembers"): "ListManagedMembers",
    ("Mutation", "saveManagerRules"): "SaveManagerRules",
    ("Mutation", "assignManagers"): "AssignManagers",
    ("Mutation", "reassignManagers"): "ReassignManagers",
    ("Mutation", "setFavouriteStore"): "SetFavouriteStore",
    ("Member", "followUps"): "ListFollowUps",
    ("Query", "followUps"): "ListDueFollowUps",
    ("Mutation", "addFollowUp"): "AddFollowUp",
    ("Mutation", "changeFollowUp"): "ChangeFollowUp",
    ("Member", "notes"): "ListNotes",
    ("Mutation", "addNote"): "AddNote",
    ("Mutation", "deleteNote"): "DeleteNote",
    ("Query", "attributeDefinitions"): "ListAttributeDefinitions",
    ("Mutation", "saveAttributeDefinitions"): "SaveAttributeDefinitions",
    ("Mutation", "setAttributes"): "SetAttributes",
}
METHODS = (
    rules(members_pb2.DESCRIPTOR.services_by_name["Members"])
    | rules(chains_pb2.DESCRIPTOR.services_by_name["Chains"])
    | rules(directory_pb2.DESCRIPTOR.services_by_name["Directory"])
    | rules(configuration_pb2.DESCRIPTOR.services_by_name["Configurations"])
    | rules(staff_pb2.DESCRIPTOR.services_by_name["Staff"])
    | rules(attributes_pb2.DESCRIPTOR.services_by_name["Attributes"])
    | rules(notes_pb2.DESCRIPTOR.services_by_name["Notes"])
    | rules(follow_ups_pb2.DESCRIPTOR.services_by_name["FollowUps"])
    | rules(account_managers_pb2.DESCRIPTOR.services_by_name["Managers"])
    | rules(care_pb2.DESCRIPTOR.services_by_name["Care"])
    | rules(jobs_pb2.DESCRIPTOR.services_by_name["MemberJobs"])
    | rules(referrals_pb2.DESCRIPTOR.services_by_name["Referrals"])
    | rules(activities_pb2.DESCRIPTOR.services_by_name["Activities"])
    | rules(duplicates_pb2.DESCRIPTOR.services_by_name["Duplicates"])
    | rules(reviews_pb2.DESCRIPTOR.services_by_name["Reviews"])
    | rules(exports_pb2.DESCRIPTOR.services_by_name["Exports"])
)
RULES = {
    (type_.name, name): rule
    for type_, name, definition in fields(subgraph.schema()._schema)
    if (rule := rule_of(definition)) is not None
}


@pytest.mark.parametrize(("field", "method"), CALLS.items(), ids=str)
def test_a_field_is_open_to_those_whom_its_method_answers(field: tuple[str, str], method: str) -> None:
    wanted = METHODS[method]
    assert (RULES[field].kinds, RULES[field].scope) == (wanted.kinds - NOT_IN_THE_GRAPH, wanted.scope)


def test_no_field_is_forgotten_here() -> None:
    assert RULES.keys() == CALLS.keys() | {("Query", "me")}
    assert RULES["Query", "me"].kinds == {Caller.MEMBER}
