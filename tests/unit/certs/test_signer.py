"""The signer among nodes: elected once, replaced when it dies, and not to be led astray by what stands in KV."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs import CertificateSettings, NodeKey, service_id
from certs.keys import AUTHORITY_KEY, ROOTS_KEY, SIGNER_KEY, answer_key, request_key
from certs.request import Answer, SigningRequest, ask
from tests.support import wait_until
from tests.unit.certs.mesh import NOW, QUICK, Mesh, Node, mesh_of
from tests.unit.certs.test_builtin import ISSUE_S, issued, settled


def share_key(mesh: Mesh, owner: str, *others: str) -> None:
    """As an admin copies the key-encryption key."""
    path = mesh.nodes[owner].builtin.key_encryption_key_file
    for other in others:
        (mesh.folder / other).mkdir(exist_ok=True)
        shutil.copy2(path, mesh.folder / other / path.name)


async def answer_to(mesh: Mesh, request: SigningRequest) -> Answer:
    """Puts the request as anybody with write access could, and waits for what the signer says to it."""
    mesh.consul.put(request_key(request.node, request.service), request.to_bytes())

    def said() -> Answer | None:
        entry = mesh.consul.entries.get(answer_key(request.node, request.service))
        answer = Answer.from_bytes(entry.value) if entry else None
        return answer if answer and answer.nonce == request.nonce else None

    return await wait_until(said, ISSUE_S, what="the signer answers")


def request_by(node: Node, service: str = "web", **changes: Any) -> SigningRequest:
    """What the node itself would send; `changes` are signed with its key."""
    name = service_id(str(node.builtin.trust_domain), "dc1", service)
    session = node.sessions.living or ""
    asked = ask(node.name, service, spiffe_id=name, session=session, node_key=node.key, now=NOW)
    return dataclasses.replace(asked.request, **changes).signed(node.key)


@dataclasses.dataclass
class Scene:
    """node-1 signs; node-2 runs web and cart and is the victim; node-3 runs bad and is the attacker's."""

    mesh: Mesh
    signer: Node
    victim: Node
    attacker: Node


async def scene(mesh: Mesh, **settings: Any) -> Scene:
    signer = mesh.node("node-1", "own", settings=dataclasses.replace(QUICK, **settings))
    await issued(signer, "own")
    victim = mesh.node("node-2", "web", is_signer=False)
    attacker = mesh.node("node-3", "bad", is_signer=False)
    await issued(victim)
    await issued(attacker, "bad")
    await settled(mesh)
    return Scene(mesh, signer, victim, attacker)


def in_victims_place(s: Scene, **changes: Any) -> SigningRequest:
    """Right in itself, for the victim's node and service, but signed with the attacker's key."""
    made = dataclasses.replace(request_by(s.attacker, "web"), node="node-2", **changes)
    return made.signed(s.attacker.key)


FORGERIES: dict[str, tuple[Callable[[Scene], SigningRequest], str]] = {
    "another's session id": (
        lambda s: request_by(s.attacker, "bad", session=s.victim.sessions.living),
        "one of node node-2, not of node-3",
    ),
    "another's place with one's own key": (
        in_victims_place,
        "one of node node-3, not of node-2",
    ),
    "another's place and session with one's own key": (
        lambda s: in_victims_place(s, session=s.victim.sessions.living),
        "another key than the one that signed it",
    ),
    "a service the node does not run": (
        lambda s: request_by(s.attacker, "web"),
        "no service web is registered on node node-3",
    ),
    "a CSR for another node's service": (
        lambda s: request_by(s.attacker, "bad", csr_pem=request_by(s.victim).csr_pem),
        "only",
    ),
    "a session that is over": (
        lambda s: request_by(s.attacker, "bad", session="session-999"),
        "is not alive",
    ),
    "a session made for another key": (
        lambda s: request_by(
            s.attacker, "bad", session=s.mesh.consul.make_session("meshnode", "node-3")
        ),
        "another key than the one that signed it",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    make, sentence = FORGERIES[name]
    async with mesh_of(tmp_path) as mesh:
        stage = await scene(mesh)
        answer = await answer_to(mesh, make(stage))
        assert sentence in answer.refused
        assert answer.chain_pem == ""
        assert answer.signer == "node-1"


async def test_a_right_request_put_by_hand_is_answered(tmp_path: Path) -> None:
    """So that the forgeries above fail for their own reasons."""
    async with mesh_of(tmp_path) as mesh:
        stage = await scene(mesh)
        answer = await answer_to(mesh, request_by(stage.attacker, "bad"))
        assert answer.chain_pem
        assert not answer.refused


async def test_a_replayed_request_is_refused(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        stage = await scene(mesh)
        request = request_by(stage.victim)
        assert (await answer_to(mesh, request)).chain_pem
        mesh.consul.delete(request_key("node-2", "web"))
        await settled(mesh)
        assert "replay" in (await answer_to(mesh, request)).refused


async def test_a_replayed_answer_is_not_taken(tmp_path: Path) -> None:
    """An old chain with an old nonce, or with the new one, is not this request's answer."""
    async with mesh_of(tmp_path) as mesh:
        stage = await scene(mesh)
        old = await answer_to(mesh, request_by(stage.victim))
        mesh.consul.delete(request_key("node-2", "web"))
        await settled(mesh)
        await mesh.kill(stage.signer)
        stage.victim.clock.advance(hours=17)
        stage.victim.builtin.wake()
        key = request_key("node-2", "web")
        await wait_until(lambda: key in mesh.consul.entries, ISSUE_S)
        request = SigningRequest.from_bytes(mesh.consul.entries[key].value)
        mesh.consul.put(answer_key("node-2", "web"), old.to_bytes())
        await asyncio.sleep(0.05)
        assert len(stage.victim.identities) == 1
        forged = dataclasses.replace(old, nonce=request.nonce, csr_sha256=request.csr_sha256)
        mesh.consul.put(answer_key("node-2", "web"), forged.to_bytes())
        await wait_until(lambda: "another key" in stage.victim.messages("web"), ISSUE_S)
        assert len(stage.victim.identities) == 1


@pytest.mark.parametrize("garbage", [b"", b"\0" * 1000, b"{}", b"[" * 10_000, b"x" * 400_000])
async def test_garbage_under_requests_stops_nobody(tmp_path: Path, garbage: bytes) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        await issued(node)
        mesh.consul.put(request_key("aaa", "first"), garbage)
        mesh.consul.put("meshnode/ca/requests/not/a/path", garbage)
        mesh.consul.put("meshnode/ca/answers/node-1/cart", garbage)
        mesh.consul.services["node-1"].add("cart")
        node.builtin.want(frozenset({"web", "cart"}))
        await issued(node, "cart")


async def test_a_dead_signer_is_replaced_by_one_that_has_the_key(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        first = mesh.nodes["node-1"]
        await issued(first)
        share_key(mesh, "node-1", "node-2")
        second, third = mesh.node("node-2", "web"), mesh.node("node-3", "web")
        await issued(second)
        await issued(third)
        assert (first.builtin.is_elected, second.builtin.is_elected) == (True, False)
        await mesh.kill(first)
        await wait_until(lambda: second.builtin.is_elected, ISSUE_S)
        mesh.consul.services["node-3"].add("cart")
        third.builtin.want(frozenset({"web", "cart"}))
        assert (await issued(third, "cart")).roots_pem == second.builtin.roots_pem
        assert not third.builtin.is_elected, "it has no key"


async def test_a_request_that_stood_while_nobody_signed_is_answered_without_being_repeated(
    tmp_path: Path,
) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        share_key(mesh, "node-1", "node-3")
        await settled(mesh)
        await mesh.kill(mesh.nodes["node-1"])
        waiting = mesh.node("node-2", "web", is_signer=False)
        await wait_until(lambda: "no node signs" in waiting.messages("web"), ISSUE_S)
        key = request_key("node-2", "web")
        await asyncio.sleep(0.5)
        assert [one for one in mesh.consul.writes if one == f"put {key}"] == [f"put {key}"]
        mesh.node("node-3", "own")
        await issued(waiting)
        assert mesh.consul.writes.count(f"put {key}") == 1


async def test_the_lock_waits_for_its_delay_after_a_death(tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, lock_delay_s=15)
    async with mesh_of(tmp_path) as mesh:
        first = mesh.node("node-1", "web", settings=settings)
        await issued(first)
        share_key(mesh, "node-1", "node-2")
        second = mesh.node("node-2", "web", settings=settings)
        await issued(second)
        await mesh.kill(first)
        await asyncio.sleep(0.1)
        second.builtin.wake()
        await asyncio.sleep(0.1)
        assert not second.builtin.is_elected
        mesh.consul.advance(15)
        await wait_until(lambda: second.builtin.is_elected, ISSUE_S)


async def test_a_clean_stop_gives_the_lock_back_at_once(tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, lock_delay_s=15)
    async with mesh_of(tmp_path) as mesh:
        first = mesh.node("node-1", "web", settings=settings)
        await issued(first)
        share_key(mesh, "node-1", "node-2")
        second = mesh.node("node-2", "web", settings=settings)
        await issued(second)
        await settled(mesh)
        session = mesh.consul.entries[SIGNER_KEY].session
        await mesh.stop(first)
        assert session not in mesh.consul.sessions
        await wait_until(lambda: second.builtin.is_elected, ISSUE_S)


async def test_a_killed_and_restarted_signer_goes_on_under_its_old_session(tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, lock_delay_s=15)
    async with mesh_of(tmp_path) as mesh:
        first = mesh.node("node-1", "web", settings=settings)
        await issued(first)
        await settled(mesh)
        lock = mesh.consul.entries[SIGNER_KEY]
        first.store.fault = "fail"  # so that its end reaches nobody, as with kill -9
        saved = (first.folder / "signer-session.json").read_bytes()
        await mesh.stop(first)
        file = first.folder / "signer-session.json"
        file.write_bytes(saved)
        file.chmod(0o600)
        again = mesh.node("node-1", "web", settings=settings)
        await wait_until(lambda: again.builtin.is_elected, ISSUE_S)
        assert mesh.consul.entries[SIGNER_KEY] == lock


async def test_a_lost_session_is_noticed_and_the_lock_taken_anew(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        await issued(node)
        await settled(mesh)
        before = mesh.consul.entries[SIGNER_KEY].session
        assert before
        mesh.consul.end_session(before)

        def is_taken_anew() -> bool:
            now = mesh.consul.entries[SIGNER_KEY].session
            return now not in (None, before) and node.builtin.is_elected

        await wait_until(is_taken_anew, 2 * ISSUE_S)


async def test_losers_of_the_election_keep_no_session(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        share_key(mesh, "node-1", "node-2", "node-3")
        for name in ("node-2", "node-3"):
            await issued(mesh.node(name, "web"))
        await settled(mesh)
        signers = [one for one in mesh.consul.sessions.values() if "signer" in one.name]
        assert len(signers) == 1


async def test_deleted_keys_of_the_ca_are_put_back_by_the_signer(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        await issued(node)
        await settled(mesh)
        kept = {key: mesh.consul.entries[key].value for key in (AUTHORITY_KEY, ROOTS_KEY)}
        for key in list(mesh.consul.entries):
            mesh.consul.delete(key)
        await settled(mesh)
        assert {key: mesh.consul.entries[key].value for key in kept} == kept
        assert node.builtin.is_elected


async def test_a_ca_key_written_over_is_set_right(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh, mesh_of(tmp_path / "x", "node-9") as other:
        node = mesh.nodes["node-1"]
        await issued(node)
        await issued(other.nodes["node-9"])
        await settled(mesh)
        right = mesh.consul.entries[AUTHORITY_KEY].value
        for wrong in (b"garbage", other.consul.entries[AUTHORITY_KEY].value):
            mesh.consul.put(AUTHORITY_KEY, wrong)
            await wait_until(lambda: mesh.consul.entries[AUTHORITY_KEY].value == right, ISSUE_S)
        assert node.builtin.is_elected
        assert node.builtin.problems() == ()


async def test_roots_written_over_are_set_right(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        await settled(mesh)
        right = mesh.consul.entries[ROOTS_KEY].value
        for wrong in (b"garbage", right.replace(b"BEGIN", b"BEGAN"), b""):
            mesh.consul.put(ROOTS_KEY, wrong)
            await wait_until(lambda: mesh.consul.entries[ROOTS_KEY].value == right, ISSUE_S)
        assert mesh.nodes["node-1"].builtin.problems() == ()


async def test_a_lost_ca_key_is_never_replaced_by_a_new_ca(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        first = await issued(mesh.nodes["node-1"])
        await settled(mesh)
        await mesh.stop(mesh.nodes["node-1"])
        for key in list(mesh.consul.entries):
            mesh.consul.delete(key)
        again = mesh.node("node-1", "web")
        await wait_until(lambda: "restore it from a Consul snapshot" in again.messages("ca"), 30)
        assert mesh.consul.entries == {}
        assert again.builtin.load() == [first]
        assert again.builtin.roots_pem == first.roots_pem


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.chmod(0o644), "chmod 600"),
        (lambda path: path.write_bytes(path.read_bytes()[:50]), "damaged"),
        (lambda path: path.write_bytes(b""), "half written"),
        (lambda path: (path.unlink(), path.mkdir()), "is not a file"),
    ],
    ids=["open to others", "half", "empty", "a folder"],
)
async def test_a_key_file_with_faults_is_told_and_heals(
    tmp_path: Path, damage: Callable[[Path], Any], sentence: str
) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh:
        node = mesh.nodes["node-1"]
        await issued(node)
        await settled(mesh)
        await mesh.stop(node)
        path = node.builtin.key_encryption_key_file
        right = path.read_bytes()
        damage(path)
        again = mesh.node("node-1", "web")
        await wait_until(lambda: sentence in again.messages("ca"), ISSUE_S)
        assert not again.builtin.is_elected
        if path.is_dir():
            path.rmdir()
        path.write_bytes(right)
        path.chmod(0o600)
        again.builtin.wake()
        await wait_until(lambda: not again.messages() and again.builtin.is_elected, ISSUE_S)


async def test_another_key_than_the_mesh_s_is_told(tmp_path: Path) -> None:
    async with mesh_of(tmp_path, "node-1") as mesh, mesh_of(tmp_path / "x", "node-2") as other:
        await issued(mesh.nodes["node-1"])
        await issued(other.nodes["node-2"])
        path = other.nodes["node-2"].builtin.key_encryption_key_file
        node = mesh.node("node-2", "web", key_encryption_key_file=path)
        await issued(node)
        assert "cannot be opened with" in node.messages("ca")
        assert not node.builtin.is_elected


async def test_a_node_without_the_right_to_write_makes_no_ca_and_leaves_no_key(
    tmp_path: Path,
) -> None:
    async with mesh_of(tmp_path) as mesh:
        poor = mesh.node("node-1", "web", start=False)
        poor.store.denied_prefix = AUTHORITY_KEY
        mesh.start(poor, "web")
        await wait_until(lambda: "permission denied" in poor.messages("ca"), ISSUE_S)
        assert not poor.builtin.key_encryption_key_file.exists()
        rich = mesh.node("node-2", "web")
        await issued(poor)
        await wait_until(lambda: poor.messages() == "", ISSUE_S)
        assert rich.builtin.is_elected
        assert list(poor.folder.glob("*.new")) == []


async def test_no_signer_is_told_after_a_time_with_what_to_do(tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, no_signer_after_s=0.05)
    async with mesh_of(tmp_path, "node-1") as mesh:
        await issued(mesh.nodes["node-1"])
        await mesh.kill(mesh.nodes["node-1"])
        node = mesh.node("node-2", "web", settings=settings)
        other = mesh.node("node-3", "web", is_signer=False, settings=settings)
        assert node.messages("ca") == "", "a change of signers is not told"
        await wait_until(lambda: node.messages("ca") and other.messages("ca"), ISSUE_S)
        assert "start the agent on node-1, which made the CA" in other.messages("ca")
        assert "or copy its key-encryption key to this node as" in node.messages("ca")
        assert "or copy" not in other.messages("ca")


async def test_a_root_about_to_end_is_told_by_signer_and_node(tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, root_ttl_s=86_401)
    async with mesh_of(tmp_path) as mesh:
        node = mesh.node("node-1", "web", settings=settings)
        first = await issued(node)
        await settled(mesh)
        node.clock.advance(hours=23)
        node.builtin.wake()
        await wait_until(lambda: len(node.identities) == 2, ISSUE_S)
        assert node.identities[-1].not_after <= first.not_after.replace(second=1)
        node.clock.advance(hours=0.9999)
        node.builtin.wake()
        await wait_until(lambda: "the CA's root ends on" in node.messages("ca"), ISSUE_S)
        assert "the CA's root ends on" in node.messages("web")
        assert "root ends on 2026-11-24 12:00 UTC, and every certificate" in node.messages("ca")
        node.clock.advance(hours=1)
        assert "root ended on 2026-11-24 12:00 UTC" in node.messages("ca")
        assert node.removed == [], "what is there serves on"


async def test_leftovers_of_nodes_that_are_gone_are_swept(tmp_path: Path) -> None:
    async with mesh_of(tmp_path) as mesh:
        stage = await scene(mesh, left_after_s=0.1)
        await answer_to(mesh, request_by(stage.attacker, "bad"))
        mesh.consul.put(request_key("gone", "x"), b"garbage")
        mesh.consul.put("meshnode/ca/answers/gone/y", b"garbage")
        await asyncio.sleep(0.2)
        stage.signer.builtin.wake()
        await settled(mesh)


async def test_hundreds_of_requests_are_answered_with_one_pass_over_each_node(
    tmp_path: Path,
) -> None:
    async with mesh_of(tmp_path) as mesh:
        signer = mesh.node("node-1", "own")
        await issued(signer, "own")
        services = tuple(f"s{n}" for n in range(200))
        settings = CertificateSettings(answer_timeout_s=60)
        nodes = [
            mesh.node(f"node-{n}", *services, is_signer=False, settings=settings) for n in (2, 3)
        ]
        await wait_until(lambda: all(len(one.identities) == 200 for one in nodes), 30)


def test_a_stranger_cannot_speak_for_a_key_it_only_knows(tmp_path: Path) -> None:
    """The public key stands in every request: knowing it signs nothing."""
    victim = NodeKey.load_or_create(tmp_path / "node.key")
    stranger = NodeKey(ec.generate_private_key(ec.SECP256R1()))
    asked = ask("n", "web", spiffe_id="spiffe://x/y", session="s", node_key=victim, now=NOW)
    forged = dataclasses.replace(asked.request.signed(stranger), public_key=victim.public_key)
    assert not forged.is_signature_valid
