//! Raw connections: by a port of the edge, from service to service, through the hop, and what refuses them.

use std::time::Duration;

use meshnode_engine::identity::Identities;
use meshnode_engine::snapshot::Snapshot;
use meshnode_engine::stats::Outside;
use meshnode_engine::tls;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ca::Authority;
use crate::manual::{Asked, Manual};
use crate::mesh::{inbound, outbound};
use crate::support::{Client, PATIENCE, Proxy, run};

/// An edge that takes raw connections at its only port, for `shop`; its `resources` are changed behind that.
async fn edge(origins: &[std::net::SocketAddr], change: impl FnOnce(&mut Value)) -> Proxy {
    Proxy::with(origins, |resources| {
        let listener = &mut resources["listeners"]["edge"];
        listener["protocol"] = json!("tcp");
        let address = listener["address"].as_str().unwrap();
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        resources["routes"] = json!({"db": {"key": "mesh/routes/db", "index": 7, "port": port,
            "action": {"split": [{"cluster": "shop", "weight": 1}]}}});
        change(resources);
    })
    .await
}

/// The port by which `web` calls `cart` alone.
fn to_cart() -> Value {
    json!({"proof": "port", "protocol": "tcp", "destination": "cart"})
}

/// A raw connection from `web` on one node to `cart` on another.
async fn hop(rules: Value) -> (Proxy, Proxy, Client, Manual) {
    let authority = Authority::new();
    let origin = Manual::start().await;
    let there = inbound(&authority, &[origin.address], rules).await;
    let here = outbound(Some(&authority), there.address, to_cart()).await;
    let client = here.connect().await;
    (here, there, client, origin)
}

pub fn rows(proxy: &Proxy, table: &str) -> Vec<Value> {
    let stats = proxy.worker.take_stats().to_json(&Outside::default());
    let stats: Value = serde_json::from_slice(&stats).unwrap();
    stats[table].as_array().unwrap().clone()
}

/// How often raw connections were counted under a reason.
pub fn counted(proxy: &Proxy, reason: &str) -> u64 {
    let rows = rows(proxy, "streams");
    let of_reason = rows.iter().filter(|row| row["reason"] == reason);
    of_reason.map(|row| row["count"].as_u64().unwrap()).sum()
}

pub async fn talk(client: &mut Client, asked: &mut Asked) {
    // A server may speak first.
    asked.write(b"220 ready\r\n").await;
    client.expect(b"220 ready\r\n").await;
    client.write("\0\u{1}GET / HTTP/1.1\r\n\r\n").await;
    asked.expect(b"\0\x01GET / HTTP/1.1\r\n\r\n").await;
}

#[test]
fn a_port_of_the_edge_leads_to_a_service() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = edge(&[origin.address], |_| {}).await;
        let mut client = proxy.connect().await;
        let mut asked = origin.connection().await;
        talk(&mut client, &mut asked).await;
        let open = &rows(&proxy, "streams")[0];
        assert_eq!((&open["active"], &open["route"]), (&json!(1), &json!("db")));
        assert_eq!(rows(&proxy, "upstreams")[0]["running"], 1);
        client.tcp.shutdown().await.unwrap();
        asked.end().await.unwrap();
        asked.write(b"bye").await;
        drop(asked);
        client.expect(b"bye").await;
        assert!(client.is_closed().await);
        let row = rows(&proxy, "streams").remove(0);
        assert_eq!(
            row,
            json!({"listener": "edge", "source": "edge", "destination": "shop", "route": "db",
            "reason": "", "count": 1, "active": 0, "received_bytes": 20, "sent_bytes": 14})
        );
        assert!(rows(&proxy, "requests").is_empty(), "no request was seen");
    });
}

#[test]
fn a_route_that_names_clients_takes_those_alone() {
    run(async {
        let mut origin = Manual::start().await;
        let taken = edge(&[origin.address], |resources| {
            resources["routes"]["db"]["client_addresses"] = json!(["127.0.0.0/8"]);
        })
        .await;
        let _client = taken.connect().await;
        origin.connection().await;
        let refused = edge(&[origin.address], |resources| {
            resources["routes"]["db"]["client_addresses"] = json!(["192.0.2.0/24"]);
        })
        .await;
        assert!(refused.connect().await.is_closed().await);
        assert_eq!(counted(&refused, "no_route"), 1);
        assert!(origin.was_left_alone());
    });
}

#[test]
fn an_endpoint_that_takes_no_connection_is_passed_over() {
    run(async {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = nobody.local_addr().unwrap();
        drop(nobody);
        let mut origin = Manual::start().await;
        let proxy = edge(&[gone, origin.address], |_| {}).await;
        for _ in 0..4 {
            let mut client = proxy.connect().await;
            talk(&mut client, &mut origin.connection().await).await;
        }
        let alone = edge(&[gone], |_| {}).await;
        assert!(alone.connect().await.is_closed().await);
        assert_eq!(counted(&alone, "connect_failed"), 1);
    });
}

#[test]
fn a_connection_goes_through_the_hop_to_the_very_instance() {
    run(async {
        let authority = Authority::new();
        let (other, mut chosen) = (Manual::start().await, Manual::start().await);
        let there = inbound(&authority, &[other.address, chosen.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, to_cart()).await;
        for _ in 0..3 {
            let mut client = here.connect().await;
            talk(&mut client, &mut chosen.connection().await).await;
        }
        assert_eq!((counted(&here, ""), counted(&there, "")), (3, 3));
    });
}

#[test]
fn both_nodes_tell_of_one_connection_in_one_trace() {
    run(async {
        let (here, there, mut client, mut origin) = hop(json!([])).await;
        for proxy in [&here, &there] {
            traced(proxy);
        }
        drop(client);
        drop(origin.connection().await);
        client = here.connect().await;
        talk(&mut client, &mut origin.connection().await).await;
        drop(client);
        let (near, far) = (span(&here).await, span(&there).await);
        assert_eq!(near.context.trace_id, far.context.trace_id);
        assert_eq!(far.context.parent_id, Some(near.context.span_id));
        for span in [&near, &far] {
            assert!(span.is_stream() && span.tunnel.is_some());
            assert!(span.listener.is_some(), "by which it came in");
            assert_eq!(span.destination.as_deref(), Some("cart"));
        }
    });
}

/// From now on all is told.
fn traced(proxy: &Proxy) {
    let document = proxy.worker.snapshot().to_json();
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    document["digest"] = json!("sha256:2");
    document["resources"]["settings"]["node"]["trace_ratio"] = json!(1.0);
    proxy.put(&document);
}

pub async fn span(proxy: &Proxy) -> meshnode_engine::span::SpanRecord {
    loop {
        proxy.worker.tick();
        if let Some(span) = proxy.worker.shared.spans.take_now().pop() {
            return span;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_destination_refuses_at_the_handshake_and_both_say_why() {
    run(async {
        let deny = json!([{"source": "web", "action": "deny", "name": "web => cart", "precedence": 9, "index": 3}]);
        let (here, there, mut client, mut origin) = hop(deny).await;
        assert!(client.is_closed().await);
        for proxy in [&here, &there] {
            assert_eq!(counted(proxy, "intention_denied"), 1);
            assert_eq!(counted(proxy, ""), 0);
        }
        assert!(origin.was_left_alone());
    });
}

#[test]
fn what_does_not_run_there_is_told_so() {
    run(async {
        let authority = Authority::new();
        let there = inbound(&authority, &[], json!([])).await;
        let here = outbound(Some(&authority), there.address, to_cart()).await;
        assert!(here.connect().await.is_closed().await);
        assert_eq!(
            (counted(&here, "not_here"), counted(&there, "not_here")),
            (1, 1)
        );
    });
}

#[test]
fn nothing_goes_out_without_a_certificate() {
    run(async {
        let authority = Authority::new();
        let there = inbound(&authority, &[], json!([])).await;
        let here = outbound(None, there.address, to_cart()).await;
        assert!(here.connect().await.is_closed().await);
        assert_eq!(counted(&here, "identity_missing"), 1);
    });
}

#[test]
fn a_caller_that_proves_nothing_gets_no_connection() {
    run(async {
        let authority = Authority::new();
        let mut origin = Manual::start().await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        let proof = json!({"proof": "user", "uids": [4_294_967_294_u32], "protocol": "tcp", "destination": "cart"});
        let here = outbound(Some(&authority), there.address, proof).await;
        assert!(here.connect().await.is_closed().await);
        assert_eq!(counted(&here, "caller_unproven"), 1);
        assert!(origin.was_left_alone());
    });
}

#[test]
fn an_open_connection_is_cut_when_an_intention_denies_it() {
    run(async {
        let (here, there, mut client, mut origin) = hop(json!([])).await;
        let mut asked = origin.connection().await;
        talk(&mut client, &mut asked).await;
        let document = there.worker.snapshot().to_json();
        let mut document: Value = serde_json::from_slice(&document).unwrap();
        document["digest"] = json!("sha256:2");
        document["resources"]["settings"]["node"]["intention_default"] = json!("deny");
        there.put(&document);
        there.worker.tick();
        assert!(asked.end().await.is_err());
        assert!(client.tcp.read_u8().await.is_err());
        assert_eq!(
            (counted(&there, "intention_denied"), counted(&here, "")),
            (1, 1)
        );
    });
}

#[test]
fn an_open_connection_goes_on_when_its_route_or_its_port_goes() {
    run(async {
        let mut origin = Manual::start().await;
        let changes: [fn(&mut Value); 3] = [
            |resources| drop(resources["routes"].as_object_mut().unwrap().remove("db")),
            |resources| resources["routes"]["db"]["client_addresses"] = json!(["192.0.2.0/24"]),
            |resources| {
                drop(resources["routes"].as_object_mut().unwrap().remove("db"));
                drop(
                    resources["listeners"]
                        .as_object_mut()
                        .unwrap()
                        .remove("edge"),
                );
            },
        ];
        for change in changes {
            let proxy = edge(&[origin.address], |_| {}).await;
            let mut client = proxy.connect().await;
            let mut asked = origin.connection().await;
            talk(&mut client, &mut asked).await;
            let document = proxy.worker.snapshot().to_json();
            let mut document: Value = serde_json::from_slice(&document).unwrap();
            document["digest"] = json!("sha256:2");
            change(&mut document["resources"]);
            proxy.put(&document);
            proxy.worker.tick();
            talk(&mut client, &mut asked).await;
            client.tcp.shutdown().await.unwrap();
            asked.end().await.unwrap();
        }
    });
}

#[test]
fn a_silent_connection_ends_by_its_routes_timeout() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = edge(&[origin.address], |resources| {
            resources["routes"]["db"]["idle_timeout_ms"] = json!(50);
        })
        .await;
        let mut client = proxy.connect().await;
        let mut asked = origin.connection().await;
        assert!(client.is_closed().await);
        asked.end().await.unwrap();
    });
}

#[test]
fn what_opens_no_stream_is_closed_and_counted() {
    run(async {
        let authority = Authority::new();
        let mut origin = Manual::start().await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        let identities = Identities::default();
        let identity = identities.put(&authority.document("web")).unwrap();
        let asked = tls::Asked {
            service: "cart",
            datacenter: "dc1",
            speaks: tls::Speaks::Stream,
        };
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            &[1, 0xFF, 0xFF],
            &[1, 0, 2, 1, 0],
        ] {
            let tcp = TcpStream::connect(there.address).await.unwrap();
            let opened = tls::connect(&identity, &asked, tcp, PATIENCE);
            let (mut stream, _) = opened.await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.is_empty());
        }
        assert_eq!(
            rows(&there, "bad_requests"),
            [json!({"code": "stream_opening", "count": 3})]
        );
        assert!(origin.was_left_alone());
    });
}

#[test]
fn what_has_no_meaning_for_raw_connections_is_refused() {
    let base = json!({"schema": 1, "kind": "full", "generation": 1, "digest": "sha256:1", "resources": {
        "settings": {"node": {"node": "node-1", "datacenter": "dc1", "trust_domain": "test.consul",
            "intention_default": "allow", "trace_ratio": 0.0}},
        "listeners": {}, "routes": {}, "services": {}, "intentions": {},
        "clusters": {"db": {"service": "db", "exists": false, "instances": 0, "endpoints": []}}}});
    let listener = |fields: Value| ("listeners", fields);
    let route = |field: &str, value: Value| {
        let mut made = json!({"key": "mesh/routes/x", "index": 1, "port": 5432,
            "action": {"split": [{"cluster": "db", "weight": 1}]}});
        made[field] = value;
        ("routes", made)
    };
    let names = |names: Value| {
        let (collection, mut made) = route("sni", names);
        made.as_object_mut().unwrap().remove("port");
        (collection, made)
    };
    let address = "127.0.0.1:5432";
    for ((collection, resource), wanted) in [
        (
            listener(
                json!({"kind": "outbound", "protocol": "tcp", "address": address, "identity": "web", "service": "web"}),
            ),
            "listeners.x.destination",
        ),
        (
            listener(
                json!({"kind": "inbound", "protocol": "tcp", "address": address, "identity": null}),
            ),
            "listeners.x.protocol",
        ),
        (
            listener(
                json!({"kind": "edge", "protocol": "tcp", "address": address, "identity": null, "tls": {}}),
            ),
            "listeners.x.tls",
        ),
        (route("port", json!(0)), "routes.x.port"),
        (route("sni", json!(["a.test"])), "routes.x.sni"),
        (names(json!([])), "routes.x.sni"),
        (names(json!(["*"])), "routes.x.sni"),
        (names(json!(["a.test", "a.test"])), "routes.x.sni[1]"),
        (names(json!(["A.test"])), "routes.x.sni[0]"),
        (route("hosts", json!(["a.test"])), "routes.x.hosts"),
        (route("path", json!({"prefix": "/"})), "routes.x.path"),
        (route("sources", json!(["web"])), "routes.x.sources"),
        (route("retries", json!({"attempts": 1})), "routes.x.retries"),
        (route("timeout_ms", json!(1)), "routes.x.timeout_ms"),
        (
            route("action", json!({"answer": {"status": 200}})),
            "routes.x.action",
        ),
    ] {
        let mut document = base.clone();
        document["resources"][collection]["x"] = resource;
        let refused = Snapshot::empty().apply(document.to_string().as_bytes());
        let sentence = refused.unwrap_err().to_string();
        assert!(sentence.starts_with(&format!("{wanted}: ")), "{sentence}");
    }
}

#[test]
fn a_connection_that_ends_before_it_was_opened_costs_nothing() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = edge(&[origin.address], |_| {}).await;
        drop(proxy.connect().await);
        let mut asked = origin.connection().await;
        asked.end().await.unwrap();
        drop(asked);
        let is_over = || rows(&proxy, "streams").iter().all(|row| row["active"] == 0);
        while !is_over() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}
