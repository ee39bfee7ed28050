//! Errors that speak: every reason is documented and has a test that causes it, in the form the client wants, and with
//! hints for who may have them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream as StdTcpStream};

use meshnode_engine::error::Reason;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::support::{Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";

/// A row of docs/reasons.md: status, and the test as file and name.
fn rows() -> BTreeMap<&'static str, (u16, &'static str, &'static str)> {
    let lines = include_str!("../../../../docs/reasons.md").lines();
    let rows = lines.filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let code = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let (file, test) = cells[5].split_once(": ").unwrap();
        Some((code, (cells[2].parse().unwrap(), file, test)))
    });
    rows.collect()
}

#[test]
fn every_reason_is_documented_with_a_test_that_causes_it() {
    let sources = BTreeMap::from([
        ("faults", include_str!("faults.rs")),
        ("heads", include_str!("heads.rs")),
        ("instance_tls", include_str!("instance_tls.rs")),
        ("limits", include_str!("limits.rs")),
        ("mesh", include_str!("mesh.rs")),
        ("overload", include_str!("../overload.rs")),
        ("reasons", include_str!("reasons.rs")),
        ("upgrades", include_str!("upgrades.rs")),
        ("websockets", include_str!("../http2/websockets.rs")),
        ("tls_clients", include_str!("tls_clients.rs")),
    ]);
    let rows = rows();
    let documented: Vec<_> = rows.iter().map(|(code, row)| (*code, row.0)).collect();
    let mut known: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| (reason.code(), reason.status()))
        .collect();
    known.sort_unstable();
    assert_eq!(documented, known);
    for (code, (_, file, test)) in rows {
        let begin = sources[file].find(&format!("#[test]\nfn {test}() {{"));
        let source = &sources[file][begin.unwrap_or_else(|| panic!("no test {test} in {file}"))..];
        let source = &source[..source.find("\n}\n").unwrap()];
        assert!(
            source.contains(&format!("\"{code}\"")),
            "{test} is not about {code}"
        );
    }
}

#[test]
fn a_path_that_could_be_read_in_two_ways_is_refused() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        for (path, reason) in [
            ("/a/../b", "path_dot_segment"),
            ("/a/%2e%2E/b", "path_dot_segment"),
            ("/a\\b", "path_ambiguous"),
            ("/a%00", "path_ambiguous"),
        ] {
            let answer = proxy.send(&GET.replace("/ ", &format!("{path} "))).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert_eq!(header(&answer, "mesh-reason"), Some(reason), "{path}");
        }
    });
}

#[test]
fn a_target_over_the_limit_is_told_so() {
    run(async {
        let long = format!("/{} ", "x".repeat(40_000));
        let answer = Proxy::edge(&[]).await.send(&GET.replace("/ ", &long)).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("uri_too_long"));
    });
}

#[test]
fn a_transfer_coding_nobody_has_is_told_so() {
    run(async {
        let coded = "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
        let answer = Proxy::edge(&[]).await.send(coded).await;
        assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
        let reason = header(&answer, "mesh-reason");
        assert_eq!(reason, Some("transfer_coding_unsupported"));
    });
}

#[test]
fn a_rewrite_that_makes_no_path_is_told_so() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["rewrite_path"] = json!({"regex": "/go/(.*)", "to": "/$1"});
        })
        .await;
        let answer = proxy.send(&GET.replace("/ ", "/go//.%2Fx ")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let answer = proxy.send(&GET.replace("/ ", "/go/a ")).await;
        assert_eq!(body(&answer), "ok");
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["rewrite_path"] = json!({"regex": "/go/(.*)", "to": "$1"});
        })
        .await;
        let answer = proxy.send(&GET.replace("/ ", "/go/a ")).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("rewrite_failed"));
        assert!(
            body(&answer).contains("rewrite_path made a of the path"),
            "{answer}"
        );
    });
}

/// A socket that listens and takes nobody: its backlog is full.
fn full() -> (Socket, Vec<StdTcpStream>, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let patience = std::time::Duration::from_millis(200);
    let mut waiting = Vec::new();
    while let Ok(tcp) = StdTcpStream::connect_timeout(&address, patience) {
        waiting.push(tcp);
    }
    (socket, waiting, address)
}

#[test]
fn an_endpoint_that_takes_no_connection_is_a_504() {
    let (_socket, _waiting, address) = full();
    run(async {
        let answer = Proxy::edge(&[address]).await.send(GET).await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert_eq!(header(&answer, "mesh-reason"), Some("connect_timeout"));
    });
}

#[test]
fn a_client_that_goes_away_is_counted() {
    run(async {
        let origin = Origin::start(Does::Stall).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        client
            .write("PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 9\r\n\r\n")
            .await;
        client.write("x").await;
        while origin
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
            == 0
        {
            tokio::task::yield_now().await;
        }
        drop(client);
        let counted = || {
            let stats = proxy.worker.take_stats();
            let stats = stats.to_json(&meshnode_engine::stats::Outside::default());
            serde_json::from_slice::<Value>(&stats).unwrap()["requests"][0]["reason"].clone()
        };
        while counted() != "client_closed" {
            tokio::task::yield_now().await;
        }
    });
}

/// A 404 in the form for this `Accept`.
async fn lost(proxy: &Proxy, accept: &str) -> String {
    let request = format!("GET /chekout HTTP/1.1\r\nHost: shop.test\r\nAccept: {accept}\r\n\r\n");
    let answer = proxy.send(&request).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    answer
}

async fn with_checkout(trusted: Option<Value>) -> Proxy {
    Proxy::with(&[], |resources| {
        resources["routes"]["shop"]["path"] = json!({"prefix": "/checkout"});
        if let Some(trusted) = trusted {
            resources["settings"]["node"]["trusted_clients"] = trusted;
        }
    })
    .await
}

#[test]
fn an_error_is_written_as_the_client_wants_it() {
    run(async {
        let proxy = with_checkout(None).await;
        let text = lost(&proxy, "*/*").await;
        let trace = header(&text, "mesh-trace").unwrap();
        assert_eq!(
            header(&text, "content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(header(&text, "cache-control"), Some("no-store"));
        let wanted = format!(
            "no route: no route takes shop.test/chekout; one is made by: consul kv put mesh/routes/NAME \
             'shop.test/ -> SERVICE'. trace {}\nnearest routes:\n  mesh/routes/shop  shop.test/checkout  \
             it takes /checkout and what is below it, not /chekout\n",
            &trace[..8]
        );
        assert_eq!(body(&text), wanted);

        let document = lost(&proxy, "application/json").await;
        let trace = header(&document, "mesh-trace").unwrap();
        let error = &serde_json::from_str::<Value>(body(&document)).unwrap()["error"];
        let told = ["reason", "status", "trace"].map(|field| error[field].clone());
        assert_eq!(told, [json!("no_route"), json!(404), json!(trace)]);
        assert_eq!(error["nearest"][0]["code"], "path");

        let page = lost(&proxy, "text/html,application/xhtml+xml,*/*;q=0.8").await;
        assert_eq!(
            header(&page, "content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(
            body(&page).contains("<code>mesh/routes/shop</code>"),
            "{page}"
        );
    });
}

#[test]
fn of_many_routes_those_of_the_host_that_was_asked_for_are_named() {
    run(async {
        let proxy = Proxy::with(&[], |resources| {
            resources["routes"]["shop"]["path"] = json!({"prefix": "/checkout"});
            for at in 0..1_000 {
                let mut other = resources["routes"]["shop"].clone();
                other["hosts"] = json!([format!("{at}.test")]);
                resources["routes"][format!("many-{at}")] = other;
            }
        })
        .await;
        let answer = lost(&proxy, "*/*").await;
        let named = answer.matches("mesh/routes/").count();
        assert!(answer.contains("shop.test/checkout"), "{answer}");
        // The one it makes by way of example, and the one that is there.
        assert_eq!(named, 2, "{answer}");
    });
}

#[test]
fn strangers_are_told_nothing_of_routes() {
    run(async {
        for (trusted, field) in [
            (Some(json!([])), "X-A: 1"),
            (Some(json!(["10.0.0.0/8"])), "X-A: 1"),
            (None, "X-Forwarded-For: 10.0.0.9"),
            (None, "Forwarded: for=10.0.0.9"),
            (None, "Via: 1.1 cdn"),
        ] {
            let proxy = with_checkout(trusted).await;
            let answer = lost(&proxy, &format!("*/*\r\n{field}")).await;
            assert!(!answer.contains("checkout"), "{field}: {answer}");
        }
    });
}
