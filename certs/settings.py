"""The settings of the CA: lifetimes, names, limits, times to wait. Where they come from is the node's business."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400

# How far two machines' clocks may be apart: every leaf begins this long before it is made, and a request's time may
# differ from the signer's by as much.
CLOCK_TOLERANCE_S = 300
# A leaf that would live shorter (the root's end is near) is not made: renewing would become a storm.
SHORTEST_LEAF_S = 5


@dataclass(frozen=True, slots=True)
class CertificateSettings:
    """What the node's settings say about certificates; the defaults are those of a mesh nobody has tuned."""

    leaf_ttl_s: int = DAY_S
    """A leaf's life, as this node's signer makes it; never past the root's end."""
    root_ttl_s: int = 3650 * DAY_S
    """The life of a root this node makes. Rotation is for earlier."""
    trust_domain: str | None = None
    """Pins the trust domain, and names it when this node makes the CA; None: `<uuid>.consul`, pinned when first seen."""
    root_pins: tuple[str, ...] = ()
    """`sha256:<hex>` of roots (DER) that alone are trusted at first contact; none: the first one seen is."""
    excluded_services: frozenset[str] = frozenset()
    """Services that get no certificate from this node's signer."""
    answer_timeout_s: float = 5.0
    """After this time without an answer a request is shown as a problem and sent again, with growing pauses."""
    retry_initial_s: float = 1.0
    retry_max_s: float = 600.0
    signer_ttl_s: int = 10
    """The shortest life Consul gives a session; it is renewed three times as often. Consul ends it up to twice as late."""
    lock_delay_s: int = 15
    """For this long after a signer's death nobody else takes the lock."""
    no_signer_after_s: float = 60.0
    """A mesh without a signer is a problem after this time: longer than a dead one's session and its lock delay."""
    left_after_s: float = 600.0
    """Requests and answers nobody took away in this time belong to a node that is gone, and are swept."""
    parked_s: float = 600.0
    """A service that is registered anew within this time gets its identity back without asking anybody."""

    def __post_init__(self) -> None:
        if self.leaf_ttl_s < SHORTEST_LEAF_S:
            raise ValueError(f"a leaf must live at least {SHORTEST_LEAF_S} s")
        if self.root_ttl_s <= self.leaf_ttl_s:
            raise ValueError("the root must live longer than the leaves")
