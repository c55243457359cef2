"""The gateway as a caller of its own."""

from services.kit.principal import Caller, Principal

OURSELVES = Principal(chain="", kind=Caller.SERVICE, id="gateway")
"""In whose name the gateway asks before it knows which chain it is about: for keys, and for links that name one."""
