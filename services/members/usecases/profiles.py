"""Change what a member says of itself."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

from services.kit.errors import Kind, Problem
from services.kit.principal import Caller, NotAllowedError
from services.members.domain.chains import Chain
from services.members.domain.members import Member, NoMemberError, check_tags
from services.members.domain.profiles import InvalidMemberError, Profile, check_profile
from services.members.domain.visibility import shown_to
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.members import role_of
from services.members.usecases.units import CommandKey, Unit

CHANGEABLE = frozenset(field.name for field in fields(Profile)) - {"identities", "attributes"}


class MemberChangedError(Problem):
    """The member is at version {version} by now, not {wanted}. Look at it again."""

    kind = Kind.CONFLICT
    code = "MEMBER_CHANGED"


@dataclass(frozen=True, slots=True)
class WantedProfile:
    """What is to change: those fields of `profile` that are named, `tags` unless None. `version` 0: whatever it is."""

    profile: Profile
    fields: Collection[str]
    tags: tuple[str, ...] | None = None
    version: int = 0


async def update_profile(member_id: str, wanted: WantedProfile, *, change: Change, desk: ChangeDesk) -> Member:
    """Change the member's profile and return the member as the caller may see it. The same again changes nothing."""
    caller = change.caller
    if unknown := sorted(set(wanted.fields) - CHANGEABLE):
        allowed = ", ".join(sorted(CHANGEABLE))
        raise InvalidMemberError(field="fields", why=f"{unknown[0]} cannot be changed here; there are {allowed}")
    if caller.kind is Caller.MEMBER and wanted.tags is not None:
        raise NotAllowedError(field="tags", why="tags are the chain's own")
    said = {name: getattr(wanted.profile, name) for name in sorted(wanted.fields)}

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> Member:
        member = await unit.survivor(member_id)
        if member.erased_at or (caller.kind is Caller.MEMBER and caller.id not in member.ids):
            raise NoMemberError(field="memberId", member=member_id)
        if await unit.answered(command) is not None:
            return member
        if wanted.version and wanted.version != member.version:
            raise MemberChangedError(field="version", version=member.version, wanted=wanted.version)
        tags = member.tags if wanted.tags is None else wanted.tags
        changed = replace(member, profile=replace(member.profile, **said), tags=tags)
        check_profile(changed.profile, today=change.now.date())
        check_tags(tags)
        if changed != member:
            changed = replace(changed, version=member.version + 1)
            unit.keep(changed)
        await unit.answer(command, b"", summary=f"{member.id} was changed with it")
        return changed

    content = ("profile", member_id, said, wanted.tags, wanted.version)
    return shown_to(role_of(caller), await carry_out(change, content, body, desk=desk))
