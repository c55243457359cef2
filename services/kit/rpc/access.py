"""Who may call a method: the `(huitou.common.v1.access)` option beside it in the proto, and nothing else."""

from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from protos.common.v1 import access_pb2
from services.kit.principal import Caller, NotAllowedError, Principal

SCOPED = frozenset({Caller.STAFF, Caller.PARTNER, Caller.TILL})
"""The kinds that are limited by scopes; the others are what they are."""

OF_A_CHAIN = SCOPED | {Caller.MEMBER}
"""The kinds that mean nothing without a chain; services and operators also act for the whole platform."""


class NoRuleError(TypeError):
    """A method has no usable access rule: a mistake of the programmer, found when the server is built."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call one method."""

    kinds: frozenset[Caller]
    scope: str

    def check(self, principal: Principal) -> None:
        """Raise `NotAllowedError` unless `principal` may call."""
        if principal.kind not in self.kinds:
            raise NotAllowedError(why=f"it is not open to callers of the kind {principal.kind}")
        if principal.kind in OF_A_CHAIN and not principal.chain:
            raise NotAllowedError(why="the caller belongs to no chain")
        if self.scope and principal.kind in SCOPED and self.scope not in principal.scopes:
            raise NotAllowedError(why=f"the scope {self.scope} is missing")


def rules(service: ServiceDescriptor) -> dict[str, Rule]:
    """Return the rule of each method by the method's name, or raise `NoRuleError`."""
    return {method.name: _rule(method) for method in service.methods}


def _rule(method: MethodDescriptor) -> Rule:
    option = method.GetOptions().Extensions[access_pb2.access]
    if not option.kinds:
        message = f"{method.full_name} does not say who may call it: give it the option (huitou.common.v1.access)"
        raise NoRuleError(message)
    if access_pb2.CALLER_KIND_UNSPECIFIED in option.kinds:
        message = f"{method.full_name} is open to CALLER_KIND_UNSPECIFIED, which is nobody"
        raise NoRuleError(message)
    kinds = (access_pb2.CallerKind.Name(kind).removeprefix("CALLER_KIND_").lower() for kind in option.kinds)
    return Rule(kinds=frozenset(Caller(kind) for kind in kinds), scope=option.scope)
