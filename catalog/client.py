"""Consul for everybody in this project: typed, translated, counted. Watches nothing by itself and keeps no state.

The only file that knows python-consul2.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from consul import base

from . import parse
from .backoff import Interruption
from .calls import Calls, Question, Right
from .errors import ConsulAnswerError, ConsulDenied
from .facts import AgentSelf, SessionInfo, field
from .model import Instance, Intentions, KvEntry
from .rights import policy_line
from .transactions import KvOperation, body, results
from .transport import Address, Answer, Cost, Transport

# One for each watch of CONSUL.md, and one for all single calls, in turn: eight a node, whatever the number of services.
WATCH_CONNECTIONS = 7
CALL_CONNECTIONS = 1
NODES_READ: Right = ("node", "", "read")
# A watch's first answer may be megabytes from a server that just started.
WATCH_TIMEOUT_S = 15.0

CheckStatus = Literal["passing", "warning", "critical"]


class ConsulClient:
    """One agent, one token. Every call raises ConsulUnreachable, ConsulDenied or ConsulAnswerError, nothing else."""

    def __init__(
        self,
        address: str = "127.0.0.1:8500",
        token: str | None = None,
        datacenter: str | None = None,
        *,
        timeout_s: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`address` is `host:port` or a URL; ValueError with a sentence if it is neither. Opens no connection yet."""
        parsed = Address.parse(address)
        self.address = parsed.text
        self.cost = Cost()
        self.has_token = bool(token)
        self.returned = Interruption()
        """Ended by the watches' probe when Consul is back: whoever waits to try again sleeps on it."""
        self._single = Transport(
            parsed,
            token=token,
            timeout_s=timeout_s,
            connections=CALL_CONNECTIONS,
            cost=self.cost,
            tls=tls,
        )
        self._waiting = Transport(
            parsed,
            token=token,
            timeout_s=max(timeout_s, WATCH_TIMEOUT_S),
            connections=WATCH_CONNECTIONS,
            cost=self.cost,
            tls=tls,
        )
        self._library = _Library(self._single, datacenter)
        self.calls = Calls(self._single, datacenter)
        """Calls whose answer the caller reads itself."""
        self.reads = Reads(self._waiting, datacenter)
        """Blocking queries over connections of their own, for watches."""

    @property
    def acl_default(self) -> str | None:
        """The ACL default policy of the last answer, `allow` or `deny`; None before there was one."""
        return self._single.default_policy or self._waiting.default_policy

    async def close(self) -> None:
        await self._single.close()
        await self._waiting.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Keys

    async def kv_get(self, key: str, *, consistent: bool = False) -> KvEntry | None:
        """One key, None if there is none."""
        answer = await self._library.kv.get(_key(key), consistency=_consistency(consistent))
        found = parse.kv_entries(answer.of_consul().json())
        return found[0] if found else None

    async def kv_list(self, prefix: str, *, consistent: bool = False) -> list[KvEntry]:
        """All keys that begin with `prefix`, sorted. ConsulDenied also where Consul would leave some out in silence."""
        answer = await self._library.kv.get(
            _key(prefix), recurse=True, consistency=_consistency(consistent)
        )
        found = list(parse.kv_entries(answer.of_consul().json()))
        right = ("key", prefix, "read")
        await self.check_whole(answer, right, () if found else [right])
        return found

    async def kv_names(self, prefix: str, *, is_whole: bool = False) -> list[str]:
        """The keys that begin so and that this token may read; what is in folders below as the folder unless `is_whole`."""
        separator = None if is_whole else "/"
        answer = await self._library.kv.get(_key(prefix), keys=True, separator=separator)
        return parse.kv_names(answer.of_consul().json())

    async def kv_index(self, key: str) -> int:
        """The index of a key's last change; of one that is not there, that of the last change of any key."""
        answer = await self._library.kv.get(_key(key), consistency="default")
        return int(answer.of_consul().index)

    async def kv_put(
        self,
        key: str,
        value: bytes,
        *,
        cas: int | None = None,
        acquire: str | None = None,
        release: str | None = None,
    ) -> bool:
        """False if `cas` is not the key's ModifyIndex (0: there is a key), or the session cannot have the lock.

        A session that no longer lives is False too: whoever wanted the lock makes another.
        """
        try:
            answer = await self._library.kv.put(
                _key(key), value, cas=cas, acquire=acquire, release=release
            )
        except ConsulAnswerError as error:
            if acquire and "invalid session" in error.text:
                return False
            raise
        return _true(answer)

    async def kv_delete(self, key: str, *, cas: int | None = None, recurse: bool = False) -> bool:
        """False if `cas` is not the key's ModifyIndex. Deleting what is not there is True."""
        return _true(await self._library.kv.delete(_key(key), recurse=recurse, cas=cas))

    async def kv_txn(self, operations: Sequence[KvOperation]) -> list[KvEntry]:
        """All of them or none, in one step; what they left, without values. Raises ConsulConflict where a condition fails."""
        return results(await self.calls.txn(body(operations)))

    # Sessions

    async def session_create(
        self,
        name: str,
        *,
        ttl_s: int,
        behavior: Literal["delete", "release"] = "release",
        lock_delay_s: int = 15,
        node: str | None = None,
        node_checks: Sequence[str] = (),
    ) -> str:
        """The new session's id. `ttl_s` 10 to 86400. Without `node_checks` only its TTL ends it (and its node's going)."""
        answer = await self._library.session.create(
            name,
            node=node,
            checks=list(node_checks),
            lock_delay=lock_delay_s,
            behavior=behavior,
            ttl=ttl_s,
        )
        return str(field(answer.json(), "ID"))

    async def session_renew(self, session_id: str) -> bool:
        """False if the session is gone."""
        answer = await self._library.session.renew(session_id)
        return bool(answer.status == 200)

    async def session_destroy(self, session_id: str) -> None:
        """What it held is deleted or released, as its behavior says. One that is gone already is no error."""
        await self._library.session.destroy(session_id)

    async def session_info(self, session_id: str, *, consistent: bool = True) -> SessionInfo | None:
        """None if the session does not live."""
        answer = await self._library.session.info(session_id, consistency=_consistency(consistent))
        found = answer.of_consul().json()
        right = ("session", "", "read")
        await self.check_whole(answer, right, () if found else [right])
        return SessionInfo.from_json(found[0]) if found else None

    # Catalog and this agent

    async def services_on_node(self, node: str, *, consistent: bool = False) -> list[Instance]:
        """What the catalog has on a node, sorted by service and id; all `passing`: health is not read."""
        answer = await self._library.catalog.node(node, consistency=_consistency(consistent))
        found = list(parse.node_services(answer.of_consul().json()))
        # Services that are left out of a node that is shown, or the node itself.
        is_hidden = answer.json() is None
        right = ("node", node, "read") if is_hidden else ("service", "", "read")
        await self.check_whole(answer, right, () if found else [right])
        return found

    async def node_create_index(self, node: str) -> int | None:
        """The index at which a node came into the catalog, as the leader has it; None where it is not in it."""
        return await _node_create_index(self._library, node)

    async def services(self) -> dict[str, tuple[str, ...]]:
        """Every service name in the catalog with the tags of its instances. ConsulDenied where some are left out."""
        answer = await self.reads.catalog_services(Question())
        if answer.is_filtered:
            raise ConsulDenied('service_prefix "" read')
        return dict(parse.services(answer.json()))

    async def instances(self, service: str, *, stale: bool = True) -> list[Instance]:
        """All instances of a service with the worst of their checks, sorted by node and id."""
        question = Question(consistency="stale" if stale else "default")
        answer = await self.calls.health_service(service, question)
        found = list(parse.instances(answer.json()))
        right = ("service", service, "read")
        await self.check_whole(answer, right, () if found else [right])
        return found

    async def node_self(self) -> AgentSelf:
        """Needs `agent "<node>" read`."""
        answer = await self._library.agent.self()
        return AgentSelf.from_json(answer.json(), answer.default_policy)

    async def leader(self) -> str | None:
        """The leader's address as a server knows it now, None without one."""
        return (await self.calls.leader()).json() or None

    async def register_service(self, registration: Mapping[str, Any]) -> None:
        """Registers with the local agent; the fields of `PUT /v1/agent/service/register`, all of them."""
        await self.calls.register_service(registration)

    async def deregister_service(self, service_id: str) -> None:
        """Takes it from the local agent and the catalog. One that is gone already is no error."""
        await self._library.agent.service.deregister(service_id)

    async def local_service(self, service_id: str) -> Mapping[str, Any] | None:
        """The local agent's own copy of a registration, as `GET /v1/agent/service/<id>` has it; None if none."""
        found = (await self.calls.agent_service(service_id)).json()
        return found if isinstance(found, dict) else None

    async def local_checks(self, service_id: str) -> Mapping[str, Any]:
        """The local agent's checks of a service, by check id, as `GET /v1/agent/checks` has them."""
        found = (await self.calls.agent_checks(service_id)).json()
        return found if isinstance(found, dict) else {}

    async def update_ttl(self, check_id: str, status: CheckStatus, note: str = "") -> bool:
        """A TTL check's heartbeat. False if the local agent does not know the check."""
        check = self._library.agent.check
        call = {"passing": check.ttl_pass, "warning": check.ttl_warn, "critical": check.ttl_fail}
        answer = await call[status](check_id, notes=note)
        return bool(answer.status == 200)

    # Intentions and rights

    async def intentions(self) -> list[Intentions]:
        """All service-intentions entries, sorted by destination."""
        answer = await self.calls.config_intentions(Question())
        found = list(parse.intentions(answer.json()))
        right = ("intention", "*", "read")
        await self.check_whole(answer, right, () if found else [right])
        return found

    async def intention_put(
        self, source: str, destination: str, action: Literal["allow", "deny"], description: str = ""
    ) -> None:
        """Makes or replaces the one intention of this pair; `*` is every service."""
        body = {"Action": action, "Description": description}
        await self.calls.put_intention(source, destination, body)

    async def intention_delete(self, source: str, destination: str) -> None:
        """One that is gone already is no error."""
        await self.calls.delete_intention(source, destination)

    async def agent_authorize(self, target: str, caller_uri: str) -> tuple[bool, str]:
        """Consul's own decision for a caller's SPIFFE name, and its reason. Needs `service "<target>" write`."""
        answer = await self._library.agent.connect.authorize(target, caller_uri, "0")
        decision = answer.json()
        return field(decision, "Authorized") is True, str(field(decision, "Reason"))

    async def check_whole(self, answer: Answer, right: Right, doubts: Sequence[Right] = ()) -> None:
        """Raises ConsulDenied if ACLs took something out of an answer without an error.

        Consul says so in a header (`right` is then what is missing, or for services that of their nodes), but not to
        the anonymous token and not for config entries: there the caller names as `doubts` the rights without which its
        answer would look like this.
        """
        missing: list[Right] = []
        if answer.is_filtered:
            of_nodes = [NODES_READ] if right[0] == "service" else []
            missing = await self.lacks([right, *of_nodes]) or [right]
        if not missing and doubts and (self.has_token or answer.default_policy == "deny"):
            missing = await self.lacks(doubts)
        if missing:
            raise ConsulDenied(policy_line(*missing[0]))

    async def lacks(self, rights: Sequence[Right]) -> list[Right]:
        """Those of `rights` (64 at most) the token does not have. None with ACLs off, or where Consul cannot say."""
        if not rights:
            return []
        try:
            answer = await self.calls.authorize(rights)
        except ConsulAnswerError:
            return []  # ACLs are off, or Consul is older than this call: the calls themselves will tell
        said = answer.json()
        if not isinstance(said, list) or len(said) != len(rights):
            return []
        return [right for right, one in zip(rights, said, strict=True) if not field(one, "Allow")]


class Reads:
    """The blocking queries, each answering as Consul does; reading and comparing is the watches' business."""

    def __init__(self, transport: Transport, datacenter: str | None) -> None:
        self._library = _Library(transport, datacenter)
        self._calls = Calls(transport, datacenter)
        self.health_service = self._calls.health_service
        self.health_unhealthy = self._calls.health_unhealthy
        self.config_intentions = self._calls.config_intentions

    async def node_create_index(self, node: str) -> int | None:
        return await _node_create_index(self._library, node)

    async def kv(self, prefix: str, question: Question) -> Answer:
        return await self._answer(self._library.kv.get, question, prefix, recurse=True)

    async def catalog_services(self, question: Question) -> Answer:
        return await self._answer(self._library.catalog.services, question)

    async def _answer(self, call: Any, question: Question, *names: str, **options: Any) -> Answer:
        answer = await call(
            *names,
            index=question.index,
            wait=f"{question.wait_s}s",
            consistency=question.consistency,
            **options,
        )
        assert isinstance(answer, Answer)
        return answer.of_consul()


class _Library:
    """python-consul2's request builders over our transport.

    Put together piece by piece: its own `Consul` would let CONSUL_HTTP_ADDR and CONSUL_HTTP_TOKEN overrule our
    settings, and its aiohttp client opens a connection a call.
    """

    def __init__(self, http: Transport, datacenter: str | None) -> None:
        self.http = http
        self.token = None  # the transport sends it
        self.dc = datacenter
        self.consistency = "default"
        self.kv: Any = base.Consul.KV(self)
        self.session: Any = base.Consul.Session(self)
        self.catalog: Any = base.Consul.Catalog(self)
        self.agent: Any = base.Consul.Agent(self)


async def _node_create_index(library: _Library, node: str) -> int | None:
    answer = await library.catalog.node(node, consistency="consistent")
    return parse.node_create_index(answer.json())


def _consistency(consistent: bool) -> str:  # noqa: FBT001 (one private helper)
    return "consistent" if consistent else "default"


def _true(answer: Answer) -> bool:
    return answer.json() is True


def _key(key: str) -> str:
    """Consul has no key with a leading slash, and python-consul2 would only assert so."""
    if key.startswith("/"):
        raise ValueError(f'no key begins with a slash: write "{key.lstrip("/")}"')
    return key
