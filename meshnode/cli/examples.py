"""One table of examples for help and docs/commands; tests/integration/test_examples.py runs each line in a shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """`line` is typed as it stands. `is_long` runs until it is told to end."""

    line: str
    says: str
    is_long: bool = False


EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "agent": (
        Example("meshnode agent", "run this machine's node", is_long=True),
    ),
    "config": (
        Example("meshnode config show", "each setting, and where its value comes from"),
        Example("meshnode config check", "every mistake at once, before a start finds the first"),
        Example("MESHNODE_TRACE_RATIO=0.1 meshnode config show --json", "the same for a program, with a variable tried out"),
        Example("meshnode config sample > meshnode.toml", "a file to begin with; its place is /etc/meshnode/meshnode.toml"),
        Example("meshnode config unit > meshnode.service", "for /etc/systemd/system/"),
    ),
    "join": (
        Example("meshnode join --print", "on a node that stands: the command for the new machine"),
        Example("meshnode join --print --signer", "for a machine that may also sign certificates"),
    ),
    "plan": (
        Example("meshnode plan mesh/routes/shop 'shop.example/ -> shop timeout=3s'", "what a put would do, and which recorded requests it would move"),
        Example("meshnode plan --delete mesh/routes/shop --request 'GET shop.example/'", "a deletion, and what becomes of one request"),
    ),
    "check": (
        Example("mkdir -p mesh/routes; echo 'shop.example/ -> shop' > mesh/routes/shop; meshnode check mesh", "a folder laid out as the keys are"),
        Example("meshnode check mesh/routes/shop --json", "for a pipeline: ends with 1 where there is a mistake"),
    ),
    "kv": (
        Example("meshnode kv put mesh/routes/shop 'shop.example/ -> shop timeout=2s'", "write a route, and hear what the nodes think of it"),
        Example("meshnode kv put mesh/routes/shop 'shop.example/ -> shop' --wait --timeout 30s", "in a script: ends with 3 and names the nodes that do not serve it in time"),
        Example("echo 'shop.example/ -> shop' | meshnode kv put mesh/routes/shop", "the value from standard input"),
        Example("meshnode kv get mesh/routes/shop", "the value as it is"),
        Example("meshnode kv ls", "all keys people wrote, with their index"),
        Example("meshnode kv delete mesh/routes/shop", "gone; says when the nodes have left it"),
    ),
    "history": (
        Example("meshnode history --since 3h", "what was changed, and what followed"),
        Example("meshnode history mesh/routes/shop", "one key's"),
    ),
    "diff": (
        Example("meshnode diff 4711", "what was changed at index 4711, line by line"),
        Example("meshnode diff 4700 4711", "all that differs between how it was after 4700 and after 4711"),
    ),
    "undo": (
        Example("meshnode undo", "takes back the last change there was"),
        Example("meshnode undo 4711", "takes back this one; refused if its key was changed since"),
    ),
    "rollback": (
        Example("meshnode rollback --to 14:02 --dry-run", "what would be put"),
        Example("meshnode rollback --to 4711", "all under mesh/ as it was after index 4711"),
    ),
    "drain": (
        Example("meshnode drain shop-1 --on node-1 --timeout 2m", "before its program is stopped; ends with 0 when nothing runs there any more"),
        Example("meshnode kv delete mesh/drain/shop-1", "requests go there again"),
    ),
    "confirm": (
        Example("meshnode confirm", "after all of mesh/ was deleted and nodes hold it back: it was meant"),
    ),
    "wait": (
        Example("meshnode wait mesh/routes/shop --timeout 30s", "for scripts: 0 every node serves it, 1 one refuses it, 3 one has not said"),
    ),
    "status": (
        Example("meshnode status", "all nodes, and every problem there is"),
        Example("meshnode status mesh/routes/shop", "what each node thinks of one key"),
        Example("meshnode status --json", "the same for a program; ends with 1 when something is not well"),
    ),
    "routes": (
        Example("meshnode routes", "every route in one line, with what the nodes say"),
        Example("meshnode routes show shop --origin", "each field of one route, and the key it comes from"),
    ),
    "services": (
        Example("meshnode services", "what is registered, how healthy, how it is reached"),
    ),
    "intentions": (
        Example("meshnode intentions deny edge shop", "requests from outside get 403 intention_denied"),
        Example("meshnode intentions ls", "in the order they are asked"),
        Example("meshnode intentions allow edge shop", "and are let through again"),
        Example("meshnode intentions delete edge shop", "what is more general decides"),
    ),
    "trace": (
        Example("meshnode trace last", "the last request as a tree"),
    ),
    "explain": (
        Example("meshnode explain http://shop.example/cart", "a stranger's request at the edge"),
        Example("meshnode explain -X POST -H 'x-beta: 1' --as web http://shop.mesh/", "a call of the service web"),
        Example("meshnode explain 'tcp :5432'", "a connection to a port of the edge; 'sni db.example' for TLS that is passed on"),
        Example("meshnode explain last", "what became of the last traced request or connection, and what would today"),
    ),
    "tls": (
        Example("meshnode tls put shop.example --policy modern", "TLS 1.3 alone for this host"),
        Example("meshnode tls list", "the hosts, and until when their certificates last"),
        Example("meshnode tls show shop.example", "what stands in Consul, but for the key"),
        Example("meshnode tls remove shop.example", "the host has the default certificate again"),
    ),
    "acl": (
        Example("meshnode acl policy --node node-2 --service shop", "for consul acl policy create -rules -"),
    ),
    "schema": (
        Example("meshnode schema", "the kinds of documents in KV, and the keys that hold them"),
        Example("meshnode schema route > route.schema.json", "for an editor, or a check in your configuration's repository"),
    ),
    "dev": (
        Example("meshnode dev", "three nodes and a small shop on this machine", is_long=True),
    ),
    "registry": (
        Example("meshnode registry", "the store of a mesh on one machine, without Consul", is_long=True),
    ),
    "completion": (
        Example("source <(meshnode completion bash)", "in ~/.bashrc"),
        Example("meshnode completion zsh", "into a folder of $fpath, as _meshnode"),
        Example("meshnode completion fish | cat", "into ~/.config/fish/completions/meshnode.fish"),
    ),
    "version": (
        Example("meshnode version", "which one this is"),
    ),
    "stop": (
        Example("meshnode stop", "end agent and proxy; the node stays in the mesh"),
    ),
    "leave": (
        Example("meshnode leave --yes", "out of the mesh for good, nothing left behind"),
    ),
}  # fmt: skip
"""By command. Those that end a node stand last: the test runs them in this order."""
