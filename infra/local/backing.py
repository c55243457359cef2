"""MongoDB and RabbitMQ under `make run`: each is ours, or one that was given by MONGO_URL or AMQP_URL."""

from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local import given
from infra.local.child import ChildFailedError
from infra.local.mongod import Mongod
from infra.local.rabbitmq import RabbitMQ
from infra.local.settings import MONGOD, RABBITMQ, Servers


class Backing:
    """The two servers. Those of our own keep everything in `folder`."""

    def __init__(self, environ: Mapping[str, str], ports: Mapping[str, int], *, folder: Path) -> None:
        self._mongo_url, self._amqp_url = environ.get("MONGO_URL", ""), environ.get("AMQP_URL", "")
        self._mongod = Mongod(folder / "mongod", port=ports["mongod"])
        self._rabbit = RabbitMQ(
            folder / "rabbitmq",
            port=ports["rabbitmq"],
            dist_port=ports["rabbitmq_dist"],
            epmd_port=ports["epmd"],
        )
        # In the order of starting; they are stopped the other way round.
        own = (None if self._mongo_url else self._mongod, None if self._amqp_url else self._rabbit)
        self._own = [server for server in own if server]

    @property
    def servers(self) -> Servers:
        """Where they are, or will be."""
        return Servers(self._mongo_url or self._mongod.url, self._amqp_url or self._rabbit.url)

    @property
    def listeners(self) -> tuple[str, ...]:
        """The names of the ports that our own servers need."""
        return (*(() if self._mongo_url else MONGOD), *(() if self._amqp_url else RABBITMQ))

    def check_given(self) -> None:
        """Raise `given.UnusableServerError` for a given server that will not do."""
        if self._mongo_url:
            given.check_mongodb(self._mongo_url)
        if self._amqp_url:
            given.check_rabbitmq(self._amqp_url)

    def launch(self) -> None:
        """Start our own without waiting. From the main thread only: they die with the thread that starts them."""
        for server in self._own:
            server.launch()

    def wait_until_up(self) -> None:
        """Return when our own answer; raise `ChildFailedError` when one does not."""
        for server in self._own:
            server.wait_until_up()

    def revive(self, say: Callable[[str], None]) -> bool:
        """Start those of our own that died again, and tell whether there was one. From the main thread only."""
        revived = False
        for server in self._own:
            try:
                server.check()
            except ChildFailedError as error:
                say(f"{str(error).splitlines()[0]} Now it is started again.")
                server.stop()
                server.launch()
                revived = True
        return revived

    def stop(self) -> None:
        """End our own in order."""
        for server in reversed(self._own):
            server.stop()

    def kill(self) -> None:
        """End our own at once."""
        for server in reversed(self._own):
            server.kill()
