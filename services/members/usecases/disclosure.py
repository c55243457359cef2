"""Everything about one member: who may have it, and that it was given."""

from datetime import datetime

from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.members import NoMemberError
from services.members.domain.visibility import Field, Role
from services.members.usecases.looks import Look, Looks
from services.members.usecases.members import MemberFinder, role_of


async def disclose_member(
    member_id: str, *, caller: Principal, look_id: str, now: datetime, members: MemberFinder, looks: Looks
) -> tuple[str, ...]:
    """Return all ids of the person, the one that it has now first, and record that all of it was looked at.

    Only the member itself may have it, and an admin, who sees all there is.
    """
    role = role_of(caller)
    if caller.kind is not Caller.MEMBER and role is not Role.ADMIN:
        raise NotAllowedError(why="only an admin may have everything about a member")
    if caller.stores:
        raise NotAllowedError(why="its key is for some stores, and this is the whole chain's")
    found = (await members.find(caller.chain, [member_id])).get(member_id)
    if found is None or found.erased_at or (caller.kind is Caller.MEMBER and caller.id not in found.ids):
        raise NoMemberError(field="memberId", member=member_id)
    if caller.kind is not Caller.MEMBER:
        fields = tuple(sorted(one.value for one in Field))
        await looks.note(caller.chain, Look(look_id, now, f"{caller.kind}:{caller.id}", role, (found.id,), fields))
    return found.ids
