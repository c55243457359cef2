"""A channel that remembers what went over it, for tests of how often a service is asked."""

from typing import Any

from services.kit.rpc import RpcChannel


class Watched:
    """The channel, and what went over it."""

    def __init__(self, channel: RpcChannel) -> None:
        self._channel, self.asked, self.options = channel, list[Any](), list[dict[str, Any]]()

    def stub(self, stub_class: Any) -> Any:
        return self._channel.stub(stub_class)

    async def call(self, method: Any, request: Any, **options: Any) -> Any:
        self.asked.append(request)
        self.options.append(options)
        return await self._channel.call(method, request, **options)

    def stream(self, method: Any, request: Any, **options: Any) -> Any:
        self.asked.append(request)
        self.options.append(options)
        return self._channel.stream(method, request, **options)
