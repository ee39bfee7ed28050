//! Instances that end TLS themselves: they prove to be whom their service names, or nothing is sent to them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use meshnode_engine::snapshot::{Refusal, Snapshot};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::ca::{Authority, Leaf, set_validity};
use crate::manual::Manual;
use crate::support::{Proxy, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const NAME: &str = "shop.internal";

/// An instance that answers each request by TLS, and counts connections whose handshake was done.
struct Secured {
    address: SocketAddr,
    connections: Rc<Cell<usize>>,
    heads: Rc<RefCell<Vec<String>>>,
}

/// What ends TLS with this certificate, and offers this protocol inside.
fn acceptor(leaf: &Leaf, alpn: &[u8]) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(leaf.chain_pem.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

impl Secured {
    async fn start(leaf: &Leaf) -> Self {
        let acceptor = acceptor(leaf, b"http/1.1");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, heads) = (Rc::new(Cell::new(0)), Rc::<RefCell<Vec<String>>>::default());
        let (counted, seen) = (Rc::clone(&connections), Rc::clone(&heads));
        tokio::task::spawn_local(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    continue;
                };
                counted.set(counted.get() + 1);
                let seen = Rc::clone(&seen);
                tokio::task::spawn_local(async move {
                    let mut room = [0; 4096];
                    while let Ok(count @ 1..) = tls.read(&mut room).await {
                        let head = String::from_utf8_lossy(&room[..count]).into_owned();
                        seen.borrow_mut().push(head);
                        tls.write_all(OK).await.unwrap();
                    }
                });
            }
        });
        Self {
            address,
            connections,
            heads,
        }
    }
}

/// An edge before an instance by TLS, as `tls` says.
async fn edge(address: SocketAddr, tls: Value) -> Proxy {
    Proxy::with(&[address], |resources| {
        resources["clusters"]["shop"]["tls"] = tls;
    })
    .await
}

fn named(authority: &Authority, name: &str) -> Leaf {
    authority.leaf("shop", |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
    })
}

fn believing(authority: &Authority) -> Value {
    json!({"server_name": NAME, "authorities_pem": authority.root_pem()})
}

#[test]
fn who_proves_to_be_whom_its_service_names_is_asked_by_one_connection() {
    run(async {
        let authority = Authority::new();
        let origin = Secured::start(&named(&authority, NAME)).await;
        let proxy = edge(origin.address, believing(&authority)).await;
        for _ in 0..3 {
            assert!(proxy.send(GET).await.starts_with("HTTP/1.1 200 "));
        }
        assert_eq!(origin.connections.get(), 1);
        let heads = origin.heads.borrow();
        assert_eq!(heads.len(), 3);
        assert!(heads[0].starts_with("GET / HTTP/1.1\r\n"), "{}", heads[0]);
    });
}

#[test]
fn who_does_not_gets_nothing() {
    run(async {
        let (authority, stranger) = (Authority::new(), Authority::new());
        let ended = authority.leaf("shop", |params| {
            params.subject_alt_names = vec![rcgen::SanType::DnsName(NAME.try_into().unwrap())];
            set_validity(params, -7200, -3600);
        });
        let cases = [
            (named(&authority, "other.internal"), "is for another name"),
            (
                named(&stranger, NAME),
                "of an authority that is not believed",
            ),
            (ended, "has ended"),
        ];
        for (leaf, why) in cases {
            let origin = Secured::start(&leaf).await;
            let proxy = edge(origin.address, believing(&authority)).await;
            let answer = proxy.send(GET).await;
            assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
            assert_eq!(header(&answer, "mesh-reason"), Some("upstream_tls_failed"));
            assert!(answer.contains(why) && answer.contains(NAME), "{answer}");
            assert_eq!(origin.connections.get(), 0);
            assert!(origin.heads.borrow().is_empty());
        }
    });
}

#[test]
fn who_speaks_no_tls_is_never_spoken_to_in_clear() {
    run(async {
        let authority = Authority::new();
        let mut origin = Manual::start().await;
        let proxy = edge(origin.address, believing(&authority)).await;
        let answering = proxy.send(GET);
        let speaking = async {
            let mut asked = origin.connection().await;
            let mut first = [0; 3];
            asked.tcp.read_exact(&mut first).await.unwrap();
            assert_eq!(first[..2], [0x16, 0x03], "a ClientHello, and no request");
            asked
                .tcp
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        };
        let (answer, ()) = tokio::join!(answering, speaking);
        assert_eq!(header(&answer, "mesh-reason"), Some("upstream_tls_failed"));
        assert!(answer.contains("does not speak TLS"), "{answer}");
    });
}

/// An instance that answers in HTTP/2 by TLS.
async fn in_http2(leaf: &Leaf) -> SocketAddr {
    let acceptor = acceptor(leaf, b"h2");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let tls = acceptor.accept(tcp).await.unwrap();
            let mut connection = h2::server::handshake(tls).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                assert_eq!(request.uri().path(), "/");
                let answer = http::Response::builder().status(204).body(()).unwrap();
                respond.send_response(answer, true).unwrap();
            }
        }
    });
    address
}

#[test]
fn http2_is_agreed_on_in_tls_or_not_spoken() {
    run(async {
        let authority = Authority::new();
        let leaf = named(&authority, NAME);
        let (old, new) = (Secured::start(&leaf).await, in_http2(&leaf).await);
        for (address, status) in [(new, "204"), (old.address, "502")] {
            let proxy = Proxy::with(&[address], |resources| {
                resources["clusters"]["shop"]["tls"] = believing(&authority);
                resources["clusters"]["shop"]["protocol"] = json!("http2");
            })
            .await;
            let answer = proxy.send(GET).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
        }
        assert!(old.heads.borrow().is_empty());
    });
}

#[test]
fn an_instance_of_this_node_is_spoken_to_as_its_service_says() {
    run(async {
        let authority = Authority::new();
        let origin = Secured::start(&named(&authority, NAME)).await;
        let proxy = Proxy::with(&[], |resources| {
            resources["clusters"]["shop"] = json!({"service": "shop", "exists": true, "instances": 1,
                "endpoints": [{"id": "shop-1", "node": "node-1", "address": origin.address.to_string(),
                    "weight": 1, "via": "local"}]});
            resources["services"]["shop"] = json!({"service": "shop", "tls": believing(&authority),
                "instances": [{"id": "shop-1", "addresses": [origin.address.to_string()], "healthy": true}]});
        })
        .await;
        assert!(proxy.send(GET).await.starts_with("HTTP/1.1 200 "));
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn what_another_setting_demands_is_not_answered_by_a_connection_of_before() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let origin = Secured::start(&named(&authority, NAME)).await;
        let proxy = edge(origin.address, believing(&authority)).await;
        assert!(proxy.send(GET).await.starts_with("HTTP/1.1 200 "));
        let before = proxy.worker.snapshot();
        let same = changed(&before, origin.address, &believing(&authority)).unwrap();
        let number = |snapshot: &Snapshot| {
            let shop = snapshot.clusters.get("shop").unwrap();
            shop.tls.as_ref().unwrap().number
        };
        assert_eq!(number(&same), number(&before));
        let others = changed(&before, origin.address, &believing(&other)).unwrap();
        proxy.worker.shared.put_snapshot(Arc::new(others));
        let answer = proxy.send(GET).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("upstream_tls_failed"));
    });
}

#[test]
fn what_names_nobody_or_no_authority_is_refused() {
    run(async {
        let address = "127.0.0.1:1".parse().unwrap();
        let before = Proxy::edge(&[address]).await.worker.snapshot();
        for (tls, path) in [
            (json!({"server_name": "a b"}), "server_name"),
            (
                json!({"server_name": NAME, "authorities_pem": "x"}),
                "authorities_pem",
            ),
            (json!({"server_name": NAME, "verify": false}), "verify"),
            (
                json!({"authorities_pem": Authority::new().root_pem()}),
                "server_name",
            ),
        ] {
            let said = format!("{:?}", changed(&before, address, &tls).unwrap_err());
            assert!(said.contains(path), "{said}");
        }
    });
}

/// What follows on `before` once the cluster `shop` says this of TLS.
fn changed(before: &Snapshot, address: SocketAddr, tls: &Value) -> Result<Snapshot, Refusal> {
    let document = json!({"schema": 1, "kind": "delta", "base": "sha256:1", "generation": 2, "digest": "sha256:2",
        "set": {"clusters": {"shop": {"service": "shop", "exists": true, "instances": 1, "tls": tls,
            "endpoints": [{"id": "shop-0", "node": "old-box", "address": address.to_string(), "weight": 1,
                "via": "clear"}]}}}, "remove": {}});
    before.apply(document.to_string().as_bytes())
}
