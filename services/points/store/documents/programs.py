"""Versions and drafts of programs, and what their commands are answered with."""

from dataclasses import asdict

from bson import CodecOptions, decode, encode

from services.points.domain.program_versions import DraftHead, VersionHead
from services.points.store.documents import Document
from services.points.usecases.program_desk import Answer

AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)

HEAD = ("version", "effective_from", "published_at", "published_by", "draft")
DRAFT_HEAD = ("name", "revision", "saved_at", "saved_by")
"""What is read where the terms are not wanted."""


def version_head_of(document: Document) -> VersionHead:
    """Return what is told of a version."""
    return VersionHead(**{name: document[name] for name in HEAD})


def draft_head_of(document: Document) -> DraftHead:
    """Return what is told of a draft."""
    return DraftHead(**{name: document[name] for name in DRAFT_HEAD})


def answer_bytes(answer: Answer) -> bytes:
    """Return an answer as it is kept."""
    return encode(asdict(answer))


def answer_of(kept: bytes) -> Answer:
    """Return an answer that was kept."""
    document = decode(kept, AWARE)
    return version_head_of(document) if "version" in document else draft_head_of(document)
