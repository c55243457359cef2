"""Exports as documents, and back."""

from dataclasses import asdict

from services.kit.mongo.collections import Document
from services.members.domain.export_files import Format, Part, Place
from services.members.domain.exports import MOST_FETCHES, OPEN, Export, ExportState, Fetch, Filter
from services.members.domain.visibility import Role


def export_document(chain: str, export: Export) -> Document:
    """Return the document of an export."""
    return {
        "chain": chain,
        "export": export.id,
        "list": export.list,
        "format": export.format.value,
        "filter": asdict(export.filter),
        "columns": list(export.columns),
        "by": export.by,
        "role": export.role.value,
        "stores": sorted(export.stores),
        "created_at": export.created_at,
        "expires_at": export.expires_at,
        "rows_estimated": export.rows_estimated,
        "fetches": [asdict(one) for one in export.fetches[-MOST_FETCHES:]],
        "sweep": False,
        **progress(export),
    }


def progress(export: Export) -> Document:
    """Return what changes while an export is written."""
    return {
        "state": export.state.value,
        "open": export.state in OPEN,
        "finished_at": export.finished_at,
        "rows": export.rows,
        "chunks": export.chunks,
        "place": {"size": export.place.size, "parts": [asdict(part) for part in export.place.parts]},
        "after": export.after,
        "failures": export.failures,
        "failure": export.failure,
        "version": export.version,
    }


def export_of(document: Document) -> Export:
    """Return the export of a document."""
    place = document["place"]
    return Export(
        id=document["export"],
        list=document["list"],
        format=Format(document["format"]),
        filter=Filter(**document["filter"]),
        columns=tuple(document["columns"]),
        by=document["by"],
        role=Role(document["role"]),
        stores=frozenset(document["stores"]),
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        state=ExportState(document["state"]),
        finished_at=document["finished_at"],
        rows=document["rows"],
        rows_estimated=document["rows_estimated"],
        chunks=document["chunks"],
        place=Place(place["size"], tuple(Part(**part) for part in place["parts"])),
        after=document["after"],
        failures=document["failures"],
        failure=document["failure"],
        fetches=tuple(Fetch(**one) for one in document["fetches"]),
        version=document["version"],
    )
