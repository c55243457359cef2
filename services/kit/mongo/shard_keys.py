"""Which shard-key fields a filter fixes. One server holds all in development, so a query that would be sent to
every shard in production looks fine there; this is how tests notice."""

from collections.abc import Mapping, Sequence
from typing import Any

ShardKey = tuple[str, ...]

ONE, SOME = "one", "some"
"""A field is fixed to one value, or to a list of values (`$in`, branches of an `$or`)."""


def fixed_fields(condition: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that `condition` fixes, and whether to `ONE` value or to `SOME`."""
    fixed: dict[str, str] = {}
    for field, wanted in condition.items():
        match field:
            case "$and":
                for branch in wanted:
                    fixed |= _narrower(fixed, fixed_fields(branch))
            case "$or":
                branches = [fixed_fields(branch) for branch in wanted]
                common = set.intersection(*(set(branch) for branch in branches)) if branches else set()
                fixed |= _narrower(fixed, dict.fromkeys(common, SOME))
            case _ if not field.startswith("$") and (how := _fixes(wanted)):
                fixed |= _narrower(fixed, {field: how})
            case _:
                pass
    return fixed


def _narrower(known: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    return {field: ONE if known.get(field) == ONE else how for field, how in found.items()}


def _fixes(wanted: Any) -> str:
    """Tell how a filter's value fixes its field: by equality, by a list, or (empty) not at all.

    None counts as not at all: it also finds documents without the field, and a chain that is None is a mistake.
    """
    if wanted is None or hasattr(wanted, "pattern"):
        return ""
    if not isinstance(wanted, Mapping) or not any(str(key).startswith("$") for key in wanted):
        return ONE
    if wanted.get("$eq") is not None:
        return ONE
    values = wanted.get("$in")
    if not isinstance(values, Sequence) or not values or any(_fixes(value) != ONE for value in values):
        return ""
    return ONE if len(values) == 1 else SOME


def misses_prefix(shard_key: ShardKey, condition: Mapping[str, Any]) -> str:
    """Tell what is missing for a command on many documents: it needs at least the key's first field."""
    if shard_key[0] in fixed_fields(condition):
        return ""
    return f"filter fixes no prefix of {_spelled(shard_key)}"


def misses_whole(shard_key: ShardKey, condition: Mapping[str, Any]) -> str:
    """Tell what is missing for a command on one document: it needs every field of the key, by equality."""
    fixed = fixed_fields(condition)
    missing = [field for field in shard_key if fixed.get(field) != ONE]
    return f"filter does not fix {', '.join(missing)} of {_spelled(shard_key)}" if missing else ""


def misses_in_document(shard_key: ShardKey, document: Mapping[str, Any]) -> str:
    """Tell which fields of the key a document to insert lacks."""
    missing = [field for field in shard_key if document.get(field) is None]
    return f"document lacks {', '.join(missing)} of {_spelled(shard_key)}" if missing else ""


def changes_key(shard_key: ShardKey, update: Any) -> str:
    """Tell which fields of the key an update would change: that moves a document between shards."""
    changed: set[str] = set()
    for stage in update if isinstance(update, Sequence) else [update]:
        operators = {name: fields for name, fields in stage.items() if name.startswith("$")}
        if not operators:
            return misses_in_document(shard_key, stage)
        if operators.keys() & {"$replaceWith", "$replaceRoot", "$project"}:
            return "update rewrites whole documents, so its effect on the shard key cannot be seen"
        for name, fields in operators.items():
            if name != "$setOnInsert":
                changed |= {fields} if isinstance(fields, str) else set(fields)
    touched = sorted(changed & set(shard_key))
    return f"update changes {', '.join(touched)} of {_spelled(shard_key)}" if touched else ""


def _spelled(shard_key: ShardKey) -> str:
    return f"({', '.join(shard_key)})"
