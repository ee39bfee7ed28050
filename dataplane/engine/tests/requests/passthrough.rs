//! TLS that is passed on by its server name: what is taken, what still ends at the edge, what cannot be slipped past.

use std::sync::Arc;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::ca::Authority;
use crate::manual::{Asked, Manual};
use crate::mesh::inbound;
use crate::streams::{counted, rows, span, talk};
use crate::support::{Client, Does, Origin, Proxy, run};
use crate::tls::{client_config, connect, failures, get, put_certificate, rule, shown};
use crate::wait::until_async;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn passed(names: &Value) -> Value {
    json!({"key": "mesh/routes/db", "index": 7, "sni": names,
        "action": {"split": [{"cluster": "db", "weight": 1}]}})
}

/// An edge by TLS that serves `shop.test` and all below `test` itself, and passes `names` on to `db`.
async fn edge(db: &Manual, names: Value, change: impl FnOnce(&mut Value)) -> (Proxy, Origin) {
    let origin = Origin::start(Does::Answer(OK)).await;
    let address = db.address.to_string();
    let proxy = Proxy::with(&[origin.address], |resources| {
        resources["listeners"]["edge"]["tls"] = json!({});
        resources["routes"]["shop"]["hosts"] = json!(["shop.test", "*.test"]);
        resources["clusters"]["db"] = json!({"service": "db", "exists": true, "instances": 1,
            "endpoints": [{"id": "db-1", "node": "node-1", "address": address, "weight": 1, "via": "clear"}]});
        resources["routes"]["db"] = passed(&names);
        change(resources);
    })
    .await;
    put_certificate(&proxy, "_default", "default");
    (proxy, origin)
}

/// What a client sends first that asks for this name.
pub fn hello(name: &str) -> Vec<u8> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let config = Arc::new(client_config(None, false));
    let mut client = ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

async fn send(client: &mut Client, bytes: &[u8]) {
    client.tcp.write_all(bytes).await.unwrap();
}

/// Whether a connection for this name ends at the edge, with a certificate of its own.
async fn ends_here(proxy: &Proxy, db: &mut Manual, name: &str) -> bool {
    let config = Arc::new(client_config(None, false));
    tokio::select! {
        tls = connect(proxy, name, &config) => {
            assert!(db.was_left_alone(), "{name}");
            let mut tls = tls.unwrap();
            assert!(get(&mut tls, name, "").await.unwrap().starts_with("HTTP/1.1 200 "));
            true
        }
        _ = db.connection() => false,
    }
}

#[test]
fn what_a_route_names_is_passed_on_byte_for_byte() {
    run(async {
        let mut db = Manual::start().await;
        let (proxy, _origin) = edge(&db, json!(["db.test", "*.db.test"]), |resources| {
            resources["settings"]["node"]["trace_ratio"] = json!(1.0);
        })
        .await;
        for name in ["db.test", "DB.Test", "eu.db.test", "deep.down.db.test"] {
            let bytes = hello(name);
            let mut client = proxy.connect().await;
            send(&mut client, &bytes).await;
            let mut asked = db.connection().await;
            asked.expect(&bytes).await;
            talk(&mut client, &mut asked).await;
            client.tcp.shutdown().await.unwrap();
            asked.end().await.unwrap();
            drop(asked);
            assert!(client.is_closed().await);
            let span = span(&proxy).await;
            let told = (span.texts.host(), span.detected);
            assert_eq!(told, (&*name.to_ascii_lowercase(), None));
        }
        let row = rows(&proxy, "streams").remove(0);
        let told = (&row["listener"], &row["route"], &row["destination"]);
        assert_eq!(told, (&json!("edge"), &json!("db"), &json!("db")));
        assert_eq!((counted(&proxy, ""), &row["active"]), (4, &json!(0)));
        let received = row["received_bytes"].as_u64().unwrap();
        assert!(received > 4 * 200, "the hello counts: {received}");
        assert!(rows(&proxy, "requests").is_empty(), "no request was seen");
    });
}

#[test]
fn a_hello_in_many_packets_is_waited_for_and_kept_in_order() {
    run(async {
        let mut db = Manual::start().await;
        let (proxy, _origin) = edge(&db, json!(["db.test"]), |_| {}).await;
        let bytes = hello("db.test");
        let mut client = proxy.connect().await;
        for byte in &bytes {
            send(&mut client, &[*byte]).await;
            tokio::task::yield_now().await;
        }
        let mut asked = db.connection().await;
        asked.expect(&bytes).await;
        talk(&mut client, &mut asked).await;
    });
}

#[test]
fn all_others_end_at_the_edge_as_before() {
    run(async {
        let mut db = Manual::start().await;
        let (proxy, _origin) = edge(&db, json!(["db.test"]), |_| {}).await;
        for is_old in [false, true] {
            let config = Arc::new(client_config(None, is_old));
            for name in ["shop.test", "eu.db.test", "127.0.0.1"] {
                let mut tls = connect(&proxy, name, &config).await.unwrap();
                assert!(shown(&tls).contains("CN=default"));
                let answer = get(&mut tls, "shop.test", "").await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
            }
        }
        assert!(db.was_left_alone());
        assert_eq!(counted(&proxy, ""), 0);
    });
}

#[test]
fn a_hello_byte_by_byte_ends_at_the_edge_all_the_same() {
    run(async {
        let db = Manual::start().await;
        let (proxy, _origin) = edge(&db, json!(["db.test"]), |_| {}).await;
        let mut tcp = TcpStream::connect(proxy.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (near, mut far) = duplex(1);
        tokio::task::spawn_local(async move { copy_bidirectional(&mut far, &mut tcp).await });
        let config = Arc::new(client_config(None, false));
        let name = ServerName::try_from("shop.test").unwrap();
        let mut tls = TlsConnector::from(config)
            .connect(name, near)
            .await
            .unwrap();
        let request = b"GET /cart HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n";
        tls.write_all(request).await.unwrap();
        tls.flush().await.unwrap();
        let mut answer = Vec::new();
        let _ = tls.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
    });
}

#[test]
fn what_is_no_hello_and_what_never_comes_are_counted_by_cause() {
    run(async {
        let mut db = Manual::start().await;
        let (proxy, _origin) = edge(&db, json!(["db.test"]), |resources| {
            resources["settings"]["node"]["limits"]["head_timeout_ms"] = json!(100);
        })
        .await;
        let mut client = proxy.connect().await;
        send(&mut client, b"GET / HTTP/1.1\r\nHost: db.test\r\n\r\n").await;
        assert!(client.find_alert().await, "an alert says it");
        let mut client = proxy.connect().await;
        let bytes = hello("db.test");
        send(&mut client, &bytes[..bytes.len() - 1]).await;
        assert!(client.is_closed().await);
        let mut client = proxy.connect().await;
        send(&mut client, &bytes[..9]).await;
        drop(client);
        for cause in ["not_tls", "timeout", "closed"] {
            until_async("the failure is counted", async || {
                failures(&proxy).contains(&format!("\"{cause}\": 1"))
            })
            .await;
        }
        assert!(db.was_left_alone());
    });
}

#[test]
fn a_host_with_settings_as_near_ends_at_the_edge() {
    run(async {
        for (names, host, wanted) in [
            (json!(["db.test"]), "db.test", true),
            (json!(["*.test"]), "*.test", true),
            (json!(["*.test"]), "db.test", true),
            // The nearer one decides: a route may take one host out of many.
            (json!(["db.test"]), "*.test", false),
        ] {
            let mut db = Manual::start().await;
            let (proxy, _origin) = edge(&db, names.clone(), |resources| {
                resources["tls"] = json!({host: {"key": "mesh/tls/x", "index": 1}});
            })
            .await;
            assert_eq!(
                ends_here(&proxy, &mut db, "db.test").await,
                wanted,
                "{names} {host}"
            );
        }
    });
}

#[test]
fn no_route_leads_around_a_rule_on_client_certificates() {
    run(async {
        let authority = Authority::new();
        for (host, settings) in [
            ("db.test", rule(&authority, "required")),
            ("*.test", rule(&authority, "required")),
            (
                "*.test",
                json!({"key": "mesh/tls/x", "index": 1, "closed": "line 1: it is broken"}),
            ),
        ] {
            let mut db = Manual::start().await;
            let (proxy, _origin) = edge(&db, json!(["db.test"]), |resources| {
                resources["routes"]["db"]["priority"] = json!(10);
                resources["tls"] = json!({host: settings});
            })
            .await;
            for name in ["db.test", "DB.test"] {
                let config = Arc::new(client_config(None, false));
                let tls = connect(&proxy, name, &config).await;
                let answer = match tls {
                    Ok(mut tls) => get(&mut tls, "db.test", "").await,
                    Err(_) => None,
                };
                assert_eq!(answer, None, "{host}");
            }
            assert!(db.was_left_alone(), "{host}");
        }
    });
}

/// Lets `change` come in force while a connection for `db.test` is open; it, and what the instance has of it.
async fn open_while(
    proxy: &Proxy,
    db: &mut Manual,
    change: impl FnOnce(&mut Value),
) -> (Client, Asked) {
    let bytes = hello("db.test");
    let mut client = proxy.connect().await;
    send(&mut client, &bytes).await;
    let mut asked = db.connection().await;
    asked.expect(&bytes).await;
    talk(&mut client, &mut asked).await;
    let mut document: Value = serde_json::from_slice(&proxy.worker.snapshot().to_json()).unwrap();
    document["digest"] = json!("sha256:2");
    change(&mut document["resources"]);
    proxy.put(&document);
    proxy.worker.tick();
    (client, asked)
}

#[test]
fn an_open_one_is_cut_when_its_host_demands_certificates_or_is_closed() {
    run(async {
        let authority = Authority::new();
        let closed = json!({"key": "mesh/tls/x", "index": 1, "closed": "line 1: it is broken"});
        for (host, settings) in [
            ("db.test", rule(&authority, "required")),
            ("*.test", rule(&authority, "optional")),
            ("*.test", closed),
        ] {
            let mut db = Manual::start().await;
            let (proxy, _origin) = edge(&db, json!(["db.test"]), |_| {}).await;
            let (mut client, mut asked) = open_while(&proxy, &mut db, |resources| {
                resources["tls"] = json!({host: settings});
            })
            .await;
            assert!(asked.end().await.is_err(), "{host}: a reset, no end");
            assert!(client.tcp.read_u8().await.is_err());
            assert_eq!(counted(&proxy, "misdirected"), 1, "{host}");
        }
    });
}

#[test]
fn an_open_one_goes_on_when_its_way_is_another_for_those_who_come() {
    run(async {
        let changes: [fn(&mut Value); 4] = [
            |resources| drop(resources["routes"].as_object_mut().unwrap().remove("db")),
            |resources| resources["routes"]["db"]["sni"] = json!(["other.test"]),
            |resources| resources["routes"]["db"]["client_addresses"] = json!(["192.0.2.0/24"]),
            |resources| {
                resources["tls"] =
                    json!({"db.test": {"key": "mesh/tls/db.test", "index": 1, "policy": "modern"}});
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut db = Manual::start().await;
            let (proxy, _origin) = edge(&db, json!(["db.test"]), |_| {}).await;
            let (mut client, mut asked) = open_while(&proxy, &mut db, change).await;
            talk(&mut client, &mut asked).await;
            assert!(ends_here(&proxy, &mut db, "db.test").await, "{number}");
            client.tcp.shutdown().await.unwrap();
            asked.end().await.unwrap();
        }
    });
}

#[test]
fn it_goes_through_the_hop_and_the_destination_decides() {
    run(async {
        let authority = Authority::new();
        for (rules, reason) in [
            (json!([]), ""),
            (
                json!([{"source": "edge", "action": "deny", "name": "edge => cart", "precedence": 9, "index": 3}]),
                "intention_denied",
            ),
        ] {
            let mut db = Manual::start().await;
            let there = inbound(&authority, &[db.address], rules).await;
            let (here, _origin) = edge(&db, json!(["db.test"]), |resources| {
                resources["listeners"]["edge"]["identity"] = json!("edge");
                resources["settings"]["node"]["trust_domain"] = json!(crate::ca::TRUST_DOMAIN);
                resources["clusters"]["db"] = json!({"service": "cart", "exists": true, "instances": 1,
                    "endpoints": [{"id": "cart-0", "node": "node-2", "address": "127.0.0.1:9", "weight": 1,
                                   "via": "mesh", "mesh_address": there.address.to_string()}]});
            })
            .await;
            let identities = &here.worker.shared.identities;
            identities.put(&authority.document("edge")).unwrap();
            let bytes = hello("db.test");
            let mut client = here.connect().await;
            send(&mut client, &bytes).await;
            if reason.is_empty() {
                let mut asked = db.connection().await;
                asked.expect(&bytes).await;
                talk(&mut client, &mut asked).await;
            } else {
                assert!(client.is_closed().await);
                assert!(db.was_left_alone());
            }
            assert_eq!((counted(&here, reason), counted(&there, reason)), (1, 1));
        }
    });
}
