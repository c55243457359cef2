"""Domain values as documents, and back."""

from typing import Any

from services.feedback.domain import Answer, Case, Invitation
from services.kit.outbox.events import EventCursor

Document = dict[str, Any]


def invitation_document(chain: str, invitation: Invitation) -> Document:
    """Return an invitation."""
    return {
        "chain": chain,
        "member": invitation.member,
        "invitation": invitation.id,
        "purchase": invitation.purchase,
        "store": invitation.store,
        "occurred_at": invitation.occurred_at,
        "invited_at": invitation.invited_at,
        "answer": invitation.answer,
    }


def invitation_of(document: Document) -> Invitation:
    """Return the invitation."""
    return Invitation(
        id=document["invitation"],
        member=document["member"],
        purchase=document["purchase"],
        store=document["store"],
        occurred_at=document["occurred_at"],
        invited_at=document["invited_at"],
        answer=document["answer"],
    )


def answer_document(chain: str, answer: Answer) -> Document:
    """Return an answer."""
    return {
        "chain": chain,
        "member": answer.member,
        "answer": answer.id,
        "invitation": answer.invitation,
        "store": answer.store,
        "score": answer.score,
        "comment": answer.comment,
        "answered_at": answer.answered_at,
    }


def case_document(chain: str, case: Case, cursor: EventCursor) -> Document:
    """Return a new case that has told its events up to `cursor`."""
    return {
        "chain": chain,
        "member": case.member,
        "case": case.id,
        "answer": case.answer,
        "store": case.store,
        "score": case.score,
        "comment": case.comment,
        "opened_at": case.opened_at,
        "due_at": case.due_at,
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def case_of(document: Document) -> Case:
    """Return the case."""
    return Case(
        id=document["case"],
        member=document["member"],
        answer=document["answer"],
        store=document["store"],
        score=document["score"],
        comment=document["comment"],
        opened_at=document["opened_at"],
        due_at=document["due_at"],
    )
