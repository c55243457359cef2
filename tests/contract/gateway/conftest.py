from tests.contract.members.conftest import chain, other_chain, service

__all__ = ["chain", "other_chain", "service"]
