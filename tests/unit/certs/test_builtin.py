"""Nodes with the built-in CA together: from want() to an identity, and what they do when something fails."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from certs import CertificateSettings, Identity
from certs.documents import RootsDocument
from certs.errors import StoreError
from certs.keys import AUTHORITY_KEY, CA_PREFIX, ROOTS_KEY, SIGNER_KEY, request_key
from tests.support import wait_until
from tests.unit.certs.mesh import NOW, QUICK, Clock, Mesh, Node, mesh_of

ISSUE_S = 5.0


async def issued(node: Node, service: str = "web") -> Identity:
    return await wait_until(lambda: node.identity(service), ISSUE_S, what=f"{service} is issued")


def serial(identity: Identity) -> int:
    return x509.load_pem_x509_certificate(identity.certificate_chain_pem.encode()).serial_number


async def settled(mesh: Mesh) -> None:
    """Nothing but the CA's three keys is left."""
    await wait_until(
        lambda: set(mesh.consul.entries) == {AUTHORITY_KEY, ROOTS_KEY, SIGNER_KEY},
        ISSUE_S,
        what="requests and answers are gone",
    )


async def test_a_first_node_makes_the_ca_and_its_identity(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web")
        identity = await issued(node)
        assert identity.spiffe_id.endswith("/ns/default/dc/dc1/svc/web")
        assert node.builtin.trust_domain
        assert node.builtin.trust_domain.endswith(".consul")
        assert identity.roots_pem == node.builtin.roots_pem
        assert node.builtin.problems() == ()


async def test_the_key_encryption_key_is_said_and_private(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        path = mesh.nodes["node-1"].builtin.key_encryption_key_file
        assert f"the only key that opens the mesh's CA is {path} on node-1" in caplog.text
        assert f"scp -p {path} other-node:{path}" in caplog.text
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text())["body"]["secret"] not in caplog.text


async def test_nodes_of_one_mesh_get_their_own_names_from_one_root(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        nodes = [mesh.node(f"node-{n}", "web", f"own-{n}") for n in range(3)]
        found = [await issued(node, f"own-{n}") for n, node in enumerate(nodes)]
        assert len({one.roots_pem for one in found}) == 1
        assert [one.name for one in found] == ["own-0", "own-1", "own-2"]
        await settled(mesh)


async def test_no_private_key_is_ever_in_the_store(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        seen: list[bytes] = []
        mesh.consul.watch("spy", lambda entries: seen.extend(e.value for e in entries.values()))
        node = mesh.node("node-1", "web")
        identity = await issued(node)
        await settled(mesh)
        body = "".join(identity.private_key_pem.splitlines()[1:-1])
        assert len(seen) > 5
        assert not any(b"PRIVATE" in value or body[20:60].encode() in value for value in seen)


async def test_two_nodes_that_start_at_once_make_one_ca(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1", "node-2", "node-3") as mesh:
        nodes = list(mesh.nodes.values())
        roots = {(await issued(node)).roots_pem for node in nodes}
        assert len(roots) == 1
        with_key = [node for node in nodes if node.builtin.key_encryption_key_file.exists()]
        assert len(with_key) == 1, "only the winner's key is left"
        leftover = [p for node in nodes for p in node.folder.glob("*.new")]
        assert leftover == []
        assert [node.messages() for node in nodes] == ["", "", ""]


async def test_an_idle_mesh_writes_nothing(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1", "node-2", "node-3") as mesh:
        for node in mesh.nodes.values():
            await issued(node)
        await settled(mesh)
        before = list(mesh.consul.writes)
        for _ in range(20):
            for node in mesh.nodes.values():
                node.builtin.wake()
                node.builtin.update(dict(mesh.consul.entries))
            await asyncio.sleep(0.01)
        assert mesh.consul.writes == before


async def test_a_leaf_is_renewed_at_two_thirds_of_its_life(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        first = await issued(node)
        node.clock.advance(hours=14)
        node.builtin.wake()
        await settled(mesh)
        assert node.identities == [first]
        node.clock.advance(hours=2.1)
        node.builtin.wake()
        await wait_until(lambda: len(node.identities) == 2, ISSUE_S)
        second = node.identities[-1]
        assert serial(second) != serial(first)
        assert second.private_key_pem != first.private_key_pem, "a new key for each certificate"
        assert second.not_after == node.clock.now + timedelta(days=1)


async def test_a_valid_leaf_stays_while_renewing_fails_and_is_renewed_afterwards(
    tmp_path: Path,
) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        first = await issued(node)
        await settled(mesh)
        node.store.fault = "fail"
        node.clock.advance(hours=17)
        node.builtin.wake()
        await wait_until(lambda: "could not be renewed" in node.messages("web"), ISSUE_S)
        assert node.builtin.problems()[-1].severity == "warning"
        assert node.builtin.identities == (first,)
        assert node.removed == []
        node.clock.advance(hours=10)
        assert "its certificate ended at 2026-11-24 12:00 UTC" in node.messages("web")
        assert node.builtin.identities == (first,), "an expired one stays until it is replaced"
        node.store.fault = None
        await wait_until(lambda: len(node.identities) == 2, ISSUE_S)
        await wait_until(lambda: node.messages("web") == "", ISSUE_S)


async def test_a_hanging_store_delays_nothing_else(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1", "node-2") as mesh:
        await issued(mesh.nodes["node-1"])
        mesh.nodes["node-2"].store.fault = "hang"
        mesh.nodes["node-1"].builtin.want(frozenset({"web", "cart"}))
        mesh.consul.services["node-1"].add("cart")
        await issued(mesh.nodes["node-1"], "cart")


async def test_identities_survive_a_restart_without_consul(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        first = await issued(mesh.nodes["node-1"])
        await settled(mesh)
        await mesh.stop(mesh.nodes["node-1"])
        again = mesh.node("node-1", "web", start=False)
        again.store.fault = "fail"
        assert again.builtin.load() == [first]
        assert again.builtin.trust_domain is not None
        path = again.folder / "identities" / "web.json"
        assert path.stat().st_mode & 0o777 == 0o600


async def test_a_restart_asks_for_nothing_it_has(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        await settled(mesh)
        await mesh.stop(mesh.nodes["node-1"])
        before = len(mesh.consul.writes)
        again = mesh.node("node-1", "web")
        await wait_until(lambda: again.builtin.is_elected, ISSUE_S)
        assert again.identities == []
        assert [one for one in mesh.consul.writes[before:] if "requests" in one] == []


@pytest.mark.parametrize("damage", ["half", "open", "foreign"])
async def test_a_kept_identity_with_faults_is_asked_for_anew(tmp_path: Path, damage: str) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        first = await issued(mesh.nodes["node-1"])
        await settled(mesh)
        await mesh.stop(mesh.nodes["node-1"])
        path = tmp_path / "node-1" / "identities" / "web.json"
        if damage == "half":
            path.write_bytes(path.read_bytes()[:100])
        elif damage == "open":
            path.chmod(0o644)
        else:
            path.rename(path.with_name("cart.json"))
        again = mesh.node("node-1", "web")
        assert "kept on disk is not used" in "\n".join(again.builtin._shelf.problems.values())
        second = await issued(again)
        assert serial(second) != serial(first)
        await wait_until(lambda: again.messages("web") == "", ISSUE_S)


async def test_a_full_disk_is_said_and_serves_on(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", start=False)
        (node.folder / "identities").write_text("a file where the folder should be")
        mesh.start(node, "web")
        await issued(node)
        await wait_until(lambda: "not kept on disk" in node.messages("web"), ISSUE_S)


async def test_a_service_that_is_wanted_no_more_is_given_up_and_comes_back_at_once(
    tmp_path: Path,
) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        first = await issued(node)
        await settled(mesh)
        before = len(mesh.consul.writes)
        node.builtin.want(frozenset())
        assert node.removed == ["web"]
        assert node.builtin.identities == ()
        node.builtin.want(frozenset({"web"}))
        assert node.identities == [first, first]
        assert len(mesh.consul.writes) == before, "an empty answer of the catalog costs nothing"


async def test_a_refusal_is_shown_and_ends_when_its_cause_ends(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", start=False)
        mesh.consul.services["node-1"] = set()
        mesh.start(node, "web")
        sentence = "no service web is registered on node node-1"
        await wait_until(lambda: sentence in node.messages("web"), ISSUE_S)
        mesh.consul.services["node-1"] = {"web"}
        await issued(node)
        await wait_until(lambda: node.messages() == "", ISSUE_S)


async def test_a_new_session_ends_the_wait_after_a_refusal(tmp_path: Path) -> None:
    settings = CertificateSettings(retry_initial_s=3600, retry_max_s=3600, lock_delay_s=0)
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", start=False, settings=settings)
        node.sessions.living = "made-up"
        mesh.start(node, "web")
        await wait_until(lambda: "session made-up is not alive" in node.messages("web"), ISSUE_S)
        node.sessions.living = mesh.consul.make_session(node.key.session_name, "node-1")
        node.builtin.wake()
        await issued(node)


async def test_without_a_session_nothing_is_asked_until_there_is_one(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", start=False)
        session, node.sessions.living = node.sessions.living, None
        mesh.start(node, "web")
        await wait_until(lambda: node.builtin.is_elected, ISSUE_S)
        assert not any("requests" in one for one in mesh.consul.writes)
        node.sessions.living = session
        node.builtin.wake()
        await issued(node)


@pytest.mark.parametrize(("hours", "word"), [(1, "ahead of"), (-1, "behind")])
async def test_a_node_whose_clock_is_an_hour_off_is_told(
    tmp_path: Path, hours: int, word: str
) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        clock = Clock(NOW + timedelta(hours=hours))
        other = mesh.node("node-2", "web", clock=clock)
        sentence = f"60 minutes {word} the signer's clock"
        await wait_until(lambda: sentence in other.messages("web"), ISSUE_S)
        clock.now = NOW
        other.builtin.wake()
        await issued(other)


async def test_a_clock_that_jumps_back_a_day_is_told_and_drops_nothing(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1", "node-2") as mesh:
        other = mesh.nodes["node-2"]
        first = await issued(other)
        await issued(mesh.nodes["node-1"])
        other.clock.advance(days=-1)
        other.builtin.wake()
        await wait_until(lambda: "in the future of this machine's clock" in other.messages(), 30)
        assert other.builtin.identities == (first,)
        assert other.removed == []


async def test_a_service_whose_name_cannot_be_a_name_is_told(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", "my service")
        await issued(node)
        await wait_until(lambda: "can have no certificate" in node.messages("my service"), 30)
        assert not any("my service" in one for one in mesh.consul.writes)


async def test_another_root_is_not_taken_and_what_is_held_goes_on(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh, mesh_of(tmp_path / "other", "node-9") as other:
        node = mesh.nodes["node-1"]
        first = await issued(node)
        await issued(other.nodes["node-9"])
        await settled(mesh)
        await mesh.stop(node)
        foreign = RootsDocument.from_bytes(other.consul.entries[ROOTS_KEY].value)
        mesh.consul.put(ROOTS_KEY, foreign.to_bytes())
        again = mesh.node("node-1", "web", is_signer=False)
        await wait_until(lambda: "this node belongs to" in again.messages("ca"), ISSUE_S)
        assert again.builtin.load() == [first]
        assert again.builtin.roots_pem == first.roots_pem


async def test_a_damaged_pin_trusts_nothing_and_makes_no_second_ca(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        await settled(mesh)
        await mesh.stop(mesh.nodes["node-1"])
        pin = tmp_path / "node-1" / "pin.json"
        pin.write_bytes(pin.read_bytes()[:-20])
        mesh.consul.entries.clear()
        again = mesh.node("node-1", "web")
        await wait_until(lambda: "pin.json is damaged" in again.messages("ca"), ISSUE_S)
        await asyncio.sleep(0.05)
        assert again.builtin.trust_domain is None
        assert mesh.consul.entries == {}


async def test_problems_are_told_when_they_change(tmp_path: Path) -> None:
    told: list[str] = []
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", on_problems=lambda: told.append("changed"), start=False)
        mesh.consul.services["node-1"] = set()
        mesh.start(node, "web")
        await wait_until(lambda: node.messages("web"), ISSUE_S)
        await wait_until(lambda: told, ISSUE_S)
        before = len(told)
        mesh.consul.services["node-1"] = {"web"}
        await issued(node)
        await wait_until(lambda: len(told) > before, ISSUE_S)


async def test_a_request_written_over_by_another_is_told_and_made_again(tmp_path: Path) -> None:
    settings = CertificateSettings(
        answer_timeout_s=5, retry_initial_s=0.05, retry_max_s=0.05, lock_delay_s=0
    )
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", is_signer=False, settings=settings, start=False)
        signer = mesh.node("node-2", "cart")
        await issued(signer, "cart")
        await mesh.kill(signer)
        mesh.start(node, "web")
        key = request_key("node-1", "web")
        await wait_until(lambda: key in mesh.consul.entries, ISSUE_S)
        mesh.consul.put(key, b'{"nonce":"%s"}' % (b"0" * 32))
        await wait_until(lambda: "somebody else wrote over" in node.messages("web"), ISSUE_S)
        signer = mesh.node("node-2", "cart")
        await issued(node)


async def test_an_error_of_the_store_has_its_cause(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        await issued(node)
        node.store.fault = "fail"
        with pytest.raises(StoreError, match="connection refused") as caught:
            await node.builtin._signer._store.kv_get("x")
        assert isinstance(caught.value.__cause__, ConnectionError)


async def test_all_that_is_written_lies_under_the_ca_prefix(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1", "node-2") as mesh:
        for node in mesh.nodes.values():
            await issued(node)
        assert all(one.split()[1].startswith(CA_PREFIX) for one in mesh.consul.writes)
        assert QUICK.leaf_ttl_s == 86_400
