"""What Consul does with a call that no intention names: said in three places, one of which decides."""

from __future__ import annotations

from typing import Literal

from .client import ConsulClient
from .errors import ConsulAnswerError, ConsulDenied
from .facts import intention_policy
from .sources import NODE_SERVICE
from .update import DefaultIntentionUpdate

# Nobody is called so, and no intention but one for everybody can name it.
_CALLER = "spiffe://made-up.consul/ns/default/dc/dc1/svc/meshnode-made-up-caller"


async def read_default_intention(client: ConsulClient) -> DefaultIntentionUpdate | None:
    """The agent's configuration, else the ACL default policy, compared with what Consul decides for a made-up caller.

    None where nothing says it. Raises ConsulUnreachable; a missing right only makes the answer poorer.
    """
    try:
        agent = await client.node_self()
        policy, source = agent.default_intention, agent.default_intention_source
    except (ConsulDenied, ConsulAnswerError):
        policy, source = intention_policy(client.acl_default), "acl.default_policy"
    decided = await _decision(client)
    if policy is None:
        return DefaultIntentionUpdate(decided, "Consul's own decision") if decided else None
    if decided in (None, policy):
        return DefaultIntentionUpdate(policy, source)
    sentence = (
        f"{source} of the local Consul agent says {policy}, but Consul decides {decided} where no intention "
        "matches: set default_intention_policy to the same on all agents"
    )
    return DefaultIntentionUpdate(policy, source, sentence)


async def _decision(client: ConsulClient) -> Literal["allow", "deny"] | None:
    """None where the token may not ask, or an intention for everybody decided."""
    try:
        is_allowed, reason = await client.agent_authorize(NODE_SERVICE, _CALLER)
    except (ConsulDenied, ConsulAnswerError):
        return None
    if reason.startswith("Matched"):
        return None
    return "allow" if is_allowed else "deny"
