"""What the codes of the mutations' errors mean, said once."""

from typing import Any

import strawberry

KEY = "The command key, 1 to 128 characters: a new one for each wish, the same one for each try; kept for 90 days."
"""What every input says of its key."""

MEANINGS = {
    "INVALID": "The input is wrong by itself.",
    "NOT_FOUND": "What is named does not exist in this chain.",
    "CONFLICT": "It is in use with other content.",
    "REFUSED": "The state does not allow it.",
    "DENIED": "The key is for another store.",
    "TOO_MANY": "More than one call may carry.",
    "INVALID_KEY": "The command key is too short or too long.",
    "KEY_REUSED": "The command key was used for something else.",
    "STORE_NOT_FOUND": "There is no such store.",
    "MEMBER_NOT_FOUND": "There is no such member.",
    "ACCOUNT_FROZEN": "The account can earn, not spend.",
    "INSUFFICIENT_POINTS": "There is less to spend.",
    "INVALID_PURCHASE": "No receipt can be like that.",
    "RECEIPT_REUSED": "The number was booked with other content.",
    "INVALID_REFUND": "No refund can be like that.",
    "REFUND_REUSED": "The number was received with other content.",
    "REFUND_EXCEEDS": "The receipt has less left to refund.",
    "TOO_MANY_REFUNDS": "The receipt has as many refunds as it can have.",
    "INVALID_HOLD": "No hold can be like that.",
    "HOLD_NOT_FOUND": "There is no such hold.",
    "HOLD_CLOSED": "It is captured, voided, expired or reversed already.",
    "HOLD_EXCEEDED": "The hold has less left.",
    "HOLD_PAID": "The hold paid a receipt: refund that.",
    "INVALID_ADJUSTMENT": "No adjustment can be like that.",
    "ADJUSTMENT_NOT_FOUND": "There is no such adjustment.",
    "ADJUSTMENT_DECIDED": "Somebody has decided it before.",
    "RECEIPT_NOT_FOUND": "There is no such purchase.",
    "LEVEL_NOT_FOUND": "The program has no such level.",
    "GRANT_ENDED": "The end lies in the past.",
    "INVALID_PROGRAM": "The program cannot be meant like that.",
    "DRAFT_NOT_FOUND": "There is no such draft.",
    "DRAFT_CHANGED": "The draft has another revision by now.",
    "TOO_MANY_DRAFTS": "The chain has as many drafts as it can have.",
    "TOO_MANY_VERSIONS": "The program has as many versions as it can have.",
    "SAME_PERSON": "Who asked for an adjustment cannot approve it.",
}


def code(name: str) -> Any:
    """Return the enum value `name` with what it means; it stands in each mutation that can answer it."""
    return strawberry.enum_value(name, description=MEANINGS[name])
