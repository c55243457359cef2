"""What `make run` prints when the platform is up."""

import json
import shutil
from collections.abc import Mapping

from infra.local.demo import show_query
from infra.local.demo_chain import CHAIN_NAME
from infra.local.demo_notes import DemoNotes
from infra.local.ports import LOOPBACK
from infra.local.settings import SERVICES, Servers

ASK = """import json, sys
from urllib.request import Request, urlopen
headers = {"Authorization": "Bearer " + sys.argv[3], "Content-Type": "application/json"}
answer = json.load(urlopen(Request(sys.argv[1], sys.argv[2].encode(), headers)))
print(json.dumps(answer, indent=4, ensure_ascii=False))"""
"""For a machine without curl."""

KINDS = ("staff", "till", "partner", "member")


def welcome(notes: DemoNotes, ports: Mapping[str, int], servers: Servers, *, seconds: float) -> str:
    """Return addresses, a demo key for each kind of caller, and a query to paste."""
    url = graphql_url(ports)
    grpc = "  ".join(f"{name} {LOOPBACK}:{ports[name]}" for name in SERVICES)
    keys = [f"    {kind:<8} {notes.keys[kind]}" for kind in KINDS]
    return "\n".join(
        [
            "",
            f"  Huitou is up after {seconds:.0f} s.",
            "",
            f"  GraphQL   {url}  (in a browser: a page to try queries)",
            f"  gRPC      {grpc}",
            f"  MongoDB   {without_password(servers.mongo_url)}",
            f"  RabbitMQ  {without_password(servers.amqp_url)}",
            "",
            f"  {CHAIN_NAME} ({notes.chain}), one key for each kind of caller:",
            *keys,
            "",
            "  One member from all four sides; paste this into another terminal:",
            "",
            paste(url, key=notes.keys["staff"], query=show_query(notes)),
            "",
            "  Ctrl-C stops everything; `make run` finds it again, `make fresh` starts over.",
            "",
        ]
    )


def graphql_url(ports: Mapping[str, int]) -> str:
    """Return where the gateway answers."""
    return f"http://{LOOPBACK}:{ports['gateway']}/graphql"


def paste(url: str, *, key: str, query: str) -> str:
    """Return a command that sends the query and prints the answer, made of what this machine has."""
    body = json.dumps({"query": " ".join(query.split())})
    if shutil.which("curl"):
        return (
            f"curl -s {url} -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\\n"
            f"  -d '{body}' | python3 -m json.tool --no-ensure-ascii"
        )
    return f"python3 -c '{ASK}' \\\n  {url} \\\n  '{body}' \\\n  {key}"


def without_password(url: str) -> str:
    """Return `url` without the user's name and password, which a screen should not show."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
