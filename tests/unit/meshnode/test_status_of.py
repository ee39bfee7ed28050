"""What a node says of itself to the others."""

from __future__ import annotations

import pytest

from meshnode.agent.status_of import as_dialled


@pytest.mark.parametrize(
    ("address", "own", "dialled"),
    [
        ("127.0.0.1:7000", "10.0.0.11", "127.0.0.1:7000"),
        ("10.0.0.5:7000", "10.0.0.11", "10.0.0.5:7000"),
        ("0.0.0.0:7000", "10.0.0.11", "10.0.0.11:7000"),
        ("[::]:7000", "fd00::11", "[fd00::11]:7000"),
        ("0.0.0.0:7000", "", "0.0.0.0:7000"),
    ],
)
def test_any_address_is_told_as_the_node_s_own(address: str, own: str, dialled: str) -> None:
    assert as_dialled(address, own) == dialled
