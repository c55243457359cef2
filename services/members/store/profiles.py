"""Profiles as they lie in documents: sealed, under the key of whom they tell."""

from services.kit.mongo.collections import Document
from services.members.domain.profiles import Profile
from services.members.store.documents import profile_of
from services.members.store.vault import Vault

PROFILE = "profile"


def place(chain: str, member: str, what: str) -> tuple[str, str, str]:
    """Return the place that something sealed is bound to."""
    return chain, member, what


def profile_in(vault: Vault, document: Document, key: bytes | None, *, where: tuple[str, str, str]) -> Profile:
    """Return the document's profile, an empty one when its key was destroyed."""
    if key is None or not document[PROFILE]:
        return Profile()
    return profile_of(vault.unseal(key, document[PROFILE], place=where))
