//! Sessions of TLS at the edge: where they go on, and where never.

use std::sync::Arc;

use meshnode_engine::edge_tls::{TicketKeyDocument, TicketKeysDocument};
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};
use serde_json::json;

use crate::ca::Authority;
use crate::support::{Does, Origin, Proxy, run};
use crate::tls::{OK, client_config, connect, edge, failures, get, rule};

fn keys(byte: u8) -> TicketKeysDocument {
    TicketKeysDocument {
        keys: vec![TicketKeyDocument {
            secret: format!("{byte:02x}").repeat(32),
            makes_until_unix_s: u64::MAX,
            takes_until_unix_s: u64::MAX,
        }],
    }
}

/// Connects and asks once, so that the ticket of TLS 1.3 is read. Gives the kind of the handshake.
async fn once(proxy: &Proxy, host: &str, config: &Arc<ClientConfig>) -> HandshakeKind {
    let mut tls = connect(proxy, host, config).await.unwrap();
    assert!(get(&mut tls, host, "").await.is_some());
    tls.get_ref().1.handshake_kind().unwrap()
}

#[test]
fn a_session_goes_on_at_another_node_that_has_the_same_keys() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let first = edge(&origin, &json!({})).await;
        let second = edge(&origin, &json!({})).await;
        let third = edge(&origin, &json!({})).await;
        for (proxy, byte) in [(&first, 1), (&second, 1), (&third, 2)] {
            proxy
                .worker
                .shared
                .edge_tls
                .put_ticket_keys(&keys(byte))
                .unwrap();
        }
        for is_old in [false, true] {
            let config = Arc::new(client_config(None, is_old));
            assert_eq!(
                once(&first, "shop.test", &config).await,
                HandshakeKind::Full
            );
            assert_eq!(
                once(&second, "shop.test", &config).await,
                HandshakeKind::Resumed
            );
            assert_ne!(
                once(&third, "shop.test", &config).await,
                HandshakeKind::Resumed
            );
        }
        assert!(failures(&second).contains("resumed: 2"));
    });
}

/// FAULTS: no session goes on under another name, nor for a host that demands a certificate.
#[test]
fn a_session_crosses_no_host_and_no_rule_on_clients() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let authority = Authority::new();
        let tls = json!({"alice.test": rule(&authority, "required"), "may.test": rule(&authority, "optional")});
        let proxy = edge(&origin, &tls).await;
        let leaf = authority.leaf("alice", |_| {});
        for is_old in [false, true] {
            let mut config = client_config(Some(&leaf), is_old);
            // What a client keeps by the host it knows it by; the server is to see to it by itself.
            config.resumption = Resumption::in_memory_sessions(64);
            let config = Arc::new(config);
            for host in ["shop.test", "other.test", "alice.test", "may.test"] {
                assert_ne!(
                    once(&proxy, host, &config).await,
                    HandshakeKind::Resumed,
                    "{host}"
                );
            }
            assert_eq!(
                once(&proxy, "shop.test", &config).await,
                HandshakeKind::Resumed
            );
            for host in ["alice.test", "may.test"] {
                assert_ne!(
                    once(&proxy, host, &config).await,
                    HandshakeKind::Resumed,
                    "{host}"
                );
            }
        }
    });
}
