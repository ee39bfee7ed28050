//! Tunnels: every byte as it came, and an end that both sides are told of.

use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::buffers::{BULK_BYTES, ReadBuffer};
use meshnode_engine::snapshot::Snapshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ca::Authority;
use crate::manual::{Asked, Manual};
use crate::mesh::{by_port, inbound, outbound};
use crate::support::{Client, Proxy, header, run};
use crate::upgrades::{AGREED, ASK};

/// An open tunnel through an edge, whose `resources` are changed first.
async fn edge(change: impl FnOnce(&mut Value)) -> (Proxy, Client, Asked) {
    let mut origin = Manual::start().await;
    let proxy = Proxy::with(&[origin.address], change).await;
    let mut client = proxy.connect().await;
    client.write(ASK).await;
    let asked = agree(&mut client, &mut origin).await;
    (proxy, client, asked)
}

async fn agree(client: &mut Client, origin: &mut Manual) -> Asked {
    let mut asked = origin.asked().await;
    asked.write(AGREED.as_bytes()).await;
    let answer = client.answer().await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    asked
}

/// An open tunnel from `web` on one node to `cart` on another.
async fn hop() -> (Proxy, Proxy, Client, Asked, Authority) {
    let authority = Authority::new();
    let mut origin = Manual::start().await;
    let there = inbound(&authority, &[origin.address], json!([])).await;
    let here = outbound(Some(&authority), there.address, by_port()).await;
    let mut client = here.connect().await;
    client.write(&ASK.replace("shop.test", "cart.mesh")).await;
    let asked = agree(&mut client, &mut origin).await;
    assert_eq!(header(&asked.head, "upgrade"), Some("websocket, echo/2"));
    (here, there, client, asked, authority)
}

/// Puts the document in force with one more generation, changed.
fn change(proxy: &Proxy, change: impl FnOnce(&mut Value)) {
    let document = proxy.worker.snapshot().to_json();
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    document["kind"] = json!("full");
    document["digest"] = json!("sha256:2");
    change(&mut document["resources"]);
    let snapshot = Snapshot::empty().apply(document.to_string().as_bytes());
    proxy
        .worker
        .shared
        .put_snapshot(Arc::new(snapshot.unwrap()));
    proxy.worker.tick();
}

fn deny(resources: &mut Value) {
    resources["intentions"] = json!({"cart": {"destination": "cart", "rules": [
        {"source": "web", "action": "deny", "name": "web => cart", "precedence": 9, "index": 3}]}});
}

/// Both directions at once, more than all buffers between take.
async fn exchange(mut client: Client, mut asked: Asked) {
    let all: Vec<u8> = (0..4_u32 << 20).map(|at| (at % 251) as u8).collect();
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let (mut client_reads, mut client_writes) = client.tcp.split();
    let (mut origin_reads, mut origin_writes) = asked.tcp.split();
    tokio::join!(
        async {
            client_writes.write_all(&all).await.unwrap();
            client_writes.shutdown().await.unwrap();
        },
        async {
            origin_writes.write_all(&all).await.unwrap();
            origin_writes.shutdown().await.unwrap();
        },
        async { client_reads.read_to_end(&mut one).await.unwrap() },
        async { origin_reads.read_to_end(&mut other).await.unwrap() },
    );
    assert!(one == all && other == all);
}

#[test]
fn both_directions_carry_every_byte_and_each_ends_for_itself() {
    run(async {
        let (_proxy, client, asked) = edge(|_| {}).await;
        exchange(client, asked).await;
        let (_here, _there, client, asked, _) = hop().await;
        exchange(client, asked).await;
    });
}

#[test]
fn a_side_that_has_ended_still_gets_its_answer() {
    run(async {
        let (_here, _there, mut client, mut asked, _) = hop().await;
        client.write("question").await;
        client.tcp.shutdown().await.unwrap();
        asked.expect(b"question").await;
        asked.end().await.unwrap();
        asked.write(b"answer").await;
        drop(asked);
        client.expect(b"answer").await;
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_reset_is_passed_on_as_one() {
    run(async {
        let (_here, _there, mut client, asked, _) = hop().await;
        asked.tcp.set_zero_linger().unwrap();
        drop(asked);
        assert!(client.tcp.read_u8().await.is_err());
        let (_here, _there, client, mut asked, _) = hop().await;
        client.tcp.set_zero_linger().unwrap();
        drop(client);
        assert!(asked.end().await.is_err());
    });
}

#[test]
fn a_silent_tunnel_ends_by_its_own_timeout() {
    run(async {
        // Longer than what bounds a request, a body and its idle connection here.
        let (_proxy, mut client, mut asked) = edge(|resources| {
            let node = &mut resources["settings"]["node"]["limits"];
            node["tunnel_idle_timeout_ms"] = json!(2500);
            node["request_timeout_ms"] = json!(200);
        })
        .await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        client.write("still here").await;
        asked.expect(b"still here").await;
        asked.end().await.unwrap();
        assert!(client.is_closed().await);
        let (_proxy, mut client, _asked) = edge(|resources| {
            resources["routes"]["shop"]["idle_timeout_ms"] = json!(50);
        })
        .await;
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_drain_leaves_tunnels_their_grace() {
    run(async {
        let (here, there, mut client, mut asked, _) = hop().await;
        here.worker.drain();
        there.worker.drain();
        client.write("on").await;
        asked.expect(b"on").await;
        asked.write(b"and on").await;
        client.expect(b"and on").await;
    });
}

#[test]
fn an_intention_that_no_longer_allows_it_cuts_a_tunnel_where_it_is_decided() {
    run(async {
        let (here, there, mut client, mut asked, _) = hop().await;
        // The caller's node has no say, and what changes beside does no harm.
        change(&here, deny);
        change(&there, |resources| {
            resources["intentions"] = json!({"cart": {"destination": "cart", "rules": [
                {"source": "*", "action": "allow", "name": "* => cart", "precedence": 8, "index": 4}]}});
        });
        client.write("on").await;
        asked.expect(b"on").await;
        change(&there, deny);
        assert!(asked.end().await.is_err());
        assert!(client.tcp.read_u8().await.is_err());
        let stats = format!("{:?}", there.worker.take_stats());
        assert!(stats.contains("IntentionDenied"), "{stats}");
    });
}

#[test]
fn a_local_tunnel_is_cut_by_an_intention_too() {
    run(async {
        let (proxy, mut client, mut asked) = edge(|resources| {
            resources["clusters"]["shop"]["endpoints"][0]["via"] = json!("local");
        })
        .await;
        client.write("on").await;
        asked.expect(b"on").await;
        change(&proxy, |resources| {
            resources["settings"]["node"]["intention_default"] = json!("deny");
        });
        assert!(asked.end().await.is_err());
        assert!(client.tcp.read_u8().await.is_err());
    });
}

#[test]
fn a_tunnel_lasts_no_longer_than_what_proved_its_caller() {
    run(async {
        let (_here, there, mut client, mut asked, authority) = hop().await;
        there
            .worker
            .shared
            .identities
            .put(&authority.document("cart"))
            .unwrap();
        there.worker.tick();
        client.write("renewed").await;
        asked.expect(b"renewed").await;
        there
            .worker
            .shared
            .identities
            .put(&Authority::new().document("cart"))
            .unwrap();
        there.worker.tick();
        assert!(asked.end().await.is_err());
        assert!(client.tcp.read_u8().await.is_err());
    });
}

#[test]
fn a_tunnel_that_is_silent_holds_no_buffers() {
    run(async {
        let (proxy, mut client, mut asked) = edge(|_| {}).await;
        for _ in 0..2 {
            let mut buffer = ReadBuffer::default();
            buffer.space(BULK_BYTES);
            proxy.worker.buffers.borrow_mut().give_read(buffer);
        }
        client.write("x").await;
        asked.expect(b"x").await;
        let mut buffers = proxy.worker.buffers.borrow_mut();
        let free: Vec<_> = (0..2).map(|_| buffers.take_read()).collect();
        assert!(
            free.iter().all(|buffer| !buffer.is_bare()),
            "both sides gave theirs back"
        );
    });
}
