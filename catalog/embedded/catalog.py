"""The catalog: nodes and their services, as `/v1/catalog` has them."""

from __future__ import annotations

import orjson

from .blocking import Reading, blocking
from .call import Call, Route
from .store import Reader, Writer


def put_node(writer: Writer, name: str, address: str) -> None:
    """The node with its address; nothing changes if it stands there so."""
    there = writer.row("SELECT document FROM nodes WHERE name = ?", name)
    document = {"Node": name, "Address": address}
    if there is not None and orjson.loads(there["document"]) == document:
        return
    writer.execute(
        "INSERT INTO nodes VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO UPDATE SET document = ?2, modify_index = ?3",
        name,
        orjson.dumps(document).decode(),
        writer.index,
    )
    writer.bump("nodes")


def nodes(_call: Call, reader: Reader) -> Reading:
    found = [
        orjson.loads(row["document"]) for row in reader.rows("SELECT * FROM nodes ORDER BY name")
    ]
    return Reading(found, reader.index_of("nodes"), ("nodes",))


ROUTES = (Route("/v1/catalog/nodes", {"GET": blocking(nodes)}),)
