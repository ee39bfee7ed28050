//! Calls from service to service: the caller's proxy, mutual TLS, the other node's proxy, the instance.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::identity::{Identities, Identity};
use meshnode_engine::snapshot::Snapshot;
use meshnode_engine::tls;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::ca::{Authority, asked};
use crate::support::{Does, Origin, PATIENCE, Proxy, body, header, run};
use crate::wait::until_async;

pub const CALL: &str = "GET /x HTTP/1.1\r\nHost: cart.mesh\r\n\r\n";
pub const ONE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo";

/// The listener of a proxy as `kind`, at the address it has. A handshake on a busy machine is no fault here: it has time.
fn listen(resources: &mut Value, listener: Value) -> Value {
    let address = resources["listeners"]["edge"]["address"].take();
    let mut listener = listener;
    listener["address"] = address.clone();
    resources["listeners"] = json!({"only": listener});
    let node = &mut resources["settings"]["node"];
    node["trust_domain"] = json!(crate::ca::TRUST_DOMAIN);
    for limit in node["limits"].as_object_mut().unwrap().values_mut() {
        *limit = json!(60_000);
    }
    address
}

/// The node where `cart` runs, its instances being these origins.
pub async fn inbound(authority: &Authority, origins: &[SocketAddr], rules: Value) -> Proxy {
    let proxy = Proxy::with(&[], |resources| {
        listen(resources, json!({"kind": "inbound", "identity": null}));
        let instances: Vec<Value> = origins
            .iter()
            .enumerate()
            .map(|(number, origin)| {
                json!({"id": format!("cart-{number}"), "addresses": [origin.to_string()], "healthy": true})
            })
            .collect();
        if !origins.is_empty() {
            resources["services"] = json!({"cart": {"service": "cart", "instances": instances}});
        }
        resources["intentions"] = json!({"cart": {"destination": "cart", "rules": rules}});
    })
    .await;
    proxy
        .worker
        .shared
        .identities
        .put(&authority.document("cart"))
        .unwrap();
    proxy
}

/// The node where `web` runs, which reaches `cart` at this mesh address.
pub async fn outbound(authority: Option<&Authority>, mesh: SocketAddr, proof: Value) -> Proxy {
    let proxy = Proxy::with(&[], |resources| {
        let mut listener = json!({"kind": "outbound", "identity": "web", "service": "web"});
        listener
            .as_object_mut()
            .unwrap()
            .extend(proof.as_object().unwrap().clone());
        listen(resources, listener);
        resources["clusters"]["cart"] = json!({"service": "cart", "exists": true, "instances": 1,
            "endpoints": [{"id": "cart-1", "node": "node-2", "address": "127.0.0.1:9", "weight": 1,
                           "via": "mesh", "mesh_address": mesh.to_string()}]});
    })
    .await;
    if let Some(authority) = authority {
        proxy
            .worker
            .shared
            .identities
            .put(&authority.document("web"))
            .unwrap();
    }
    proxy
}

/// A call's way: the proxy of `web`, and that of `cart` with these limits.
pub async fn hop(authority: &Authority, origin: SocketAddr, limits: &Value) -> (Proxy, Proxy) {
    let there = inbound(authority, &[origin], json!([])).await;
    let services = json!({"cart": {"service": "cart", "limits": limits, "instances": [
        {"id": "cart-0", "addresses": [origin.to_string()], "healthy": true}]}});
    let document = json!({"schema": 1, "kind": "delta", "base": "sha256:1", "generation": 2, "digest": "sha256:2",
        "set": {"services": services}});
    let next = there
        .worker
        .snapshot()
        .apply(document.to_string().as_bytes());
    there.worker.shared.put_snapshot(Arc::new(next.unwrap()));
    (
        outbound(Some(authority), there.address, by_port()).await,
        there,
    )
}

pub fn by_port() -> Value {
    json!({"proof": "port"})
}

#[test]
fn a_call_reaches_the_very_instance_that_was_chosen() {
    run(async {
        let authority = Authority::new();
        let (one, mut two) = (
            Origin::start(Does::Answer(ONE)).await,
            Origin::start(Does::Answer(TWO)).await,
        );
        let there = inbound(&authority, &[one.address, two.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        for _ in 0..4 {
            assert_eq!(body(&here.send(CALL).await), "two");
            let seen = two.request().await;
            assert_eq!(header(&seen, "host"), Some("cart.mesh"));
            assert_eq!(
                header(&seen, "via"),
                Some("1.1 node-1.meshnode"),
                "the last hop's own line comes last"
            );
            assert!(!seen.contains("mesh-instance"), "{seen}");
        }
    });
}

#[test]
fn a_port_that_means_one_destination_reaches_it_whatever_host_is_named() {
    run(async {
        let authority = Authority::new();
        let mut origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        let own = json!({"proof": "port", "destination": "cart"});
        let here = outbound(Some(&authority), there.address, own).await;
        for named in [
            "GET /x HTTP/1.1\r\nHost: 127.0.0.1:15006\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: stock.mesh\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: SHOP.test\r\n\r\n",
            "GET http://other.example:81/x HTTP/1.1\r\nHost: other.example:81\r\n\r\n",
            "GET /x HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(body(&here.send(named).await), "one", "{named}");
            let seen = origin.request().await;
            assert!(seen.starts_with("GET /x HTTP/1.1\r\n"), "{seen}");
            assert_eq!(header(&seen, "host"), Some("cart.mesh"), "{seen}");
        }
        let tunnel = here
            .send("CONNECT cart.mesh:80 HTTP/1.1\r\nHost: cart.mesh:80\r\n\r\n")
            .await;
        assert_eq!(header(&tunnel, "mesh-reason"), Some("connect_unsupported"));
    });
}

#[test]
fn a_service_in_capitals_is_reached_by_a_port_of_its_own() {
    run(async {
        let origin = Origin::start(Does::Answer(ONE)).await;
        let here = Proxy::with(&[], |resources| {
            let own = json!({"kind": "outbound", "identity": "web", "service": "web", "proof": "port", "destination": "Cart"});
            listen(resources, own);
            resources["clusters"]["Cart"] = json!({"service": "Cart", "exists": true, "instances": 1,
                "endpoints": [{"id": "cart-1", "node": "old-box", "address": origin.address.to_string(),
                               "weight": 1, "via": "clear"}]});
        })
        .await;
        assert_eq!(body(&here.send(CALL).await), "one");
    });
}

#[test]
fn routes_under_mesh_hold_at_a_port_that_means_one_destination() {
    run(async {
        let mut origin = Origin::start(Does::Answer(ONE)).await;
        let here = Proxy::with(&[origin.address], |resources| {
            let own = json!({"kind": "outbound", "identity": "web", "service": "web", "proof": "port", "destination": "cart"});
            listen(resources, own);
            resources["routes"]["cart"] = json!({"key": "mesh/routes/cart", "index": 9, "hosts": ["cart.mesh"],
                "path": {"prefix": "/x"}, "action": {"split": [{"cluster": "shop", "weight": 1}]}, "strip_prefix": "/x"});
        })
        .await;
        let named = "GET /x/7 HTTP/1.1\r\nHost: shop.test\r\n\r\n";
        assert_eq!(body(&here.send(named).await), "one");
        let seen = origin.request().await;
        assert!(seen.starts_with("GET /7 HTTP/1.1\r\n"), "{seen}");
        assert_eq!(header(&seen, "host"), Some("cart.mesh"));
        let absent = here
            .send("GET /y HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .await;
        assert_eq!(
            header(&absent, "mesh-reason"),
            Some("no_such_service"),
            "what no route takes is the destination's, and nobody has it here"
        );
    });
}

#[test]
fn the_destination_refuses_by_its_intentions_and_says_which() {
    run(async {
        let authority = Authority::new();
        let origin = Origin::start(Does::Answer(ONE)).await;
        let deny = json!([{"source": "web", "action": "deny", "name": "web => cart", "precedence": 9, "index": 3}]);
        let there = inbound(&authority, &[origin.address], deny).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        let answer = here.send(CALL).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert_eq!(header(&answer, "mesh-reason"), Some("intention_denied"));
        assert!(
            body(&answer).contains("cart refused web: intention web => cart (deny)"),
            "{answer}"
        );
    });
}

#[test]
fn an_intention_with_permissions_refuses_everything() {
    run(async {
        let authority = Authority::new();
        let origin = Origin::start(Does::Answer(ONE)).await;
        let rules = json!([{"source": "web", "action": "refuse", "name": "web => cart", "precedence": 9, "index": 3}]);
        let there = inbound(&authority, &[origin.address], rules).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        let answer = here.send(CALL).await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("intention_unsupported"),
            "{answer}"
        );
    });
}

#[test]
fn a_call_for_what_does_not_run_there_is_told_so() {
    run(async {
        let authority = Authority::new();
        let there = inbound(&authority, &[], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        let answer = here.send(CALL).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("not_here"), "{answer}");
    });
}

#[test]
fn nothing_goes_out_without_a_certificate_or_to_one_of_another_mesh() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        for (own, reason) in [(None, "identity_missing"), (Some(&other), "tls_failed")] {
            let here = outbound(own, there.address, by_port()).await;
            let answer = here.send(CALL).await;
            assert_eq!(header(&answer, "mesh-reason"), Some(reason), "{answer}");
        }
        assert_eq!(
            origin
                .connections
                .load(std::sync::atomic::Ordering::Relaxed),
            0
        );
    });
}

#[test]
fn a_caller_is_proven_by_its_user_or_refused() {
    run(async {
        let authority = Authority::new();
        let origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        // The origin's listening socket is this very process': its user is the service's.
        let owned = json!({"proof": "user", "owners": [origin.address.to_string()]});
        let here = outbound(Some(&authority), there.address, owned).await;
        assert_eq!(body(&here.send(CALL).await), "one");
        let nobody = json!({"proof": "user", "owners": ["127.0.0.1:1"], "uids": []});
        let here = outbound(Some(&authority), there.address, nobody).await;
        let answer = here.send(CALL).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert_eq!(header(&answer, "mesh-reason"), Some("caller_unproven"));
        assert_eq!(header(&answer, "connection"), Some("close"));
    });
}

#[test]
fn a_service_calls_mesh_names_alone() {
    run(async {
        let authority = Authority::new();
        let here = outbound(Some(&authority), "127.0.0.1:9".parse().unwrap(), by_port()).await;
        let answer = here.send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n").await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("not_mesh_host"),
            "{answer}"
        );
        let answer = here
            .send("GET http://nobody.mesh/ HTTP/1.1\r\nHost: x\r\n\r\n")
            .await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("no_such_service"),
            "{answer}"
        );
    });
}

#[test]
fn a_caller_whose_certificate_is_refused_is_told_so() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        let here = outbound(None, there.address, by_port()).await;
        let mut document = other.document("web");
        document.roots_pem += &authority.root_pem();
        here.worker.shared.identities.put(&document).unwrap();
        let answer = here.send(CALL).await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("tls_failed"),
            "{answer}"
        );
        assert!(body(&answer).contains("refused"), "{answer}");
    });
}

/// How many handshakes a proxy did.
pub fn handshakes(proxy: &Proxy) -> String {
    let stats = format!("{:?}", proxy.worker.take_stats());
    let at = stats.find("handshakes: ").unwrap();
    stats[at..].split(',').next().unwrap().to_owned()
}

#[test]
fn a_renewed_or_removed_certificate_ends_what_was_pooled_with_the_old_one() {
    run(async {
        let authority = Authority::new();
        let origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        for _ in 0..2 {
            assert_eq!(body(&here.send(CALL).await), "one");
        }
        assert_eq!(handshakes(&here), "handshakes: 1");
        let identities = &here.worker.shared.identities;
        identities.put(&authority.document("web")).unwrap();
        assert_eq!(body(&here.send(CALL).await), "one");
        assert_eq!(handshakes(&here), "handshakes: 2");
        identities.remove("web");
        let answer = here.send(CALL).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("identity_missing"));
    });
}

/// A proven connection of `web` to `there`, whose certificate ends in `seconds`, after one request.
async fn proven(authority: &Authority, there: &Proxy, seconds: i64) -> TlsStream<TcpStream> {
    let identities = Identities::default();
    let leaf = authority.leaf("web", |params| {
        crate::ca::set_validity(params, -300, seconds);
    });
    let web = identities.put(&authority.document_of("web", leaf)).unwrap();
    let tcp = TcpStream::connect(there.address).await.unwrap();
    let connected = tls::connect(&web, &asked("cart"), tcp, PATIENCE).await;
    let mut tls = connected.unwrap().0;
    tls.write_all(CALL.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"one") {
        assert!(tls.read_buf(&mut answer).await.unwrap() > 0);
    }
    tls
}

/// Lets the proxy close what idles for so long.
fn set_idle_timeout(proxy: &Proxy, idle: Duration) {
    let mut snapshot = Snapshot::clone(&proxy.worker.snapshot());
    let mut settings = (*snapshot.settings).clone();
    settings.limits.idle_timeout = idle;
    snapshot.settings = Arc::new(settings);
    proxy.worker.shared.put_snapshot(Arc::new(snapshot));
}

#[test]
fn a_callers_connection_ends_with_its_certificate() {
    run(async {
        let authority = Authority::new();
        let origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        let mut tls = proven(&authority, &there, 2).await;
        let mut rest = Vec::new();
        let _ = tls.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
    });
}

#[test]
fn a_callers_connection_ends_when_the_identity_it_asked_for_goes_or_distrusts_it() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        for is_removed in [true, false] {
            let origin = Origin::start(Does::Answer(ONE)).await;
            let there = inbound(&authority, &[origin.address], json!([])).await;
            let mut tls = proven(&authority, &there, 3600).await;
            let identities = &there.worker.shared.identities;
            // A renewal with the same roots changes nothing.
            identities.put(&authority.document("cart")).unwrap();
            there.worker.tick();
            tls.write_all(CALL.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"one") {
                assert!(tls.read_buf(&mut answer).await.unwrap() > 0);
            }
            if is_removed {
                identities.remove("cart");
            } else {
                identities.put(&other.document("cart")).unwrap();
            }
            there.worker.tick();
            let mut rest = Vec::new();
            let _ = tls.read_to_end(&mut rest).await;
            assert_eq!(rest, b"");
        }
    });
}

#[test]
fn a_link_nobody_needs_is_left_before_the_other_node_closes_it() {
    run(async {
        let authority = Authority::new();
        let origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        // There it would stay for 60 s.
        set_idle_timeout(&here, Duration::from_millis(400));
        assert_eq!(body(&here.send(CALL).await), "one");
        until_async("the link's end", async || {
            here.worker.pool.borrow_mut().sweep(Duration::ZERO, 1);
            here.worker.pool.borrow().links() == 0
        })
        .await;
        assert_eq!(body(&here.send(CALL).await), "one");
        assert_eq!(handshakes(&here), "handshakes: 2");
    });
}

/// Who a stranger is by its certificate goes through a hop as the edge's word, and as nobody else's.
#[test]
fn the_edges_word_on_a_strangers_certificate_is_believed_and_a_services_is_not() {
    run(async {
        let authority = Authority::new();
        let mut origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        for (caller, is_believed) in [("edge", true), ("web", false)] {
            let identity = Identity::read(&authority.document(caller)).unwrap();
            let tcp = TcpStream::connect(there.address).await.unwrap();
            let connected = tls::connect(&identity, &asked("cart"), tcp, PATIENCE).await;
            let mut tls = connected.unwrap().0;
            let told = "mesh-client-name: CN=alice\r\nmesh-client-fingerprint: ab\r\n";
            let request = format!("GET / HTTP/1.1\r\nHost: cart.mesh\r\n{told}\r\n");
            tls.write_all(request.as_bytes()).await.unwrap();
            let seen = origin.request().await;
            let wanted = is_believed.then_some("CN=alice");
            assert_eq!(header(&seen, "mesh-client-name"), wanted, "{caller}");
            let wanted = is_believed.then_some("ab");
            assert_eq!(header(&seen, "mesh-client-fingerprint"), wanted, "{caller}");
        }
    });
}
