//! What `explain` says is what the proxy does: at random over real sockets, and case by case what it says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::explain::explain;
use meshnode_engine::random::Random;
use meshnode_engine::snapshot::Refusal;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{Client, Proxy, body, header, read_message, run, run_for};

/// Tables, and requests to each: ten thousand in all.
const TABLES: usize = 25;
const REQUESTS: usize = 400;
const ROUTES: usize = 30;
/// Some seconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Clusters with an origin behind them, the last denied by an intention.
const ALIVE: [&str; 3] = ["one", "two", "denied"];
/// Hosts that the edge is asked for.
const PUBLIC: [&str; 9] = [
    "shop.test",
    "shop.test",
    "SHOP.test:80",
    "shop.test.",
    "a.shop.test",
    "b.a.shop.test",
    "x.test",
    "one.mesh",
    "[::1]:8",
];
/// Hosts that services ask for.
const INSIDE: [&str; 7] = [
    "one.mesh",
    "ONE.mesh:80",
    "two.mesh",
    "two.mesh.",
    "denied.mesh",
    "gone.mesh",
    "shop.test",
];
/// Clusters that answer nobody.
const DEAD: [&str; 3] = ["empty", "gone", "drained"];

/// An origin that answers with the head it was sent, and its name.
async fn echo(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut input = Vec::new();
                while let Some(request) = read_message(&mut tcp, &mut input, true, "").await {
                    let is_head = request.starts_with(b"HEAD ");
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nx-cluster: {name}\r\nContent-Length: {}\r\n\r\n",
                        request.len()
                    );
                    let body = if is_head { &[][..] } else { &request };
                    tcp.write_all(&[head.as_bytes(), body].concat())
                        .await
                        .unwrap();
                }
            });
        }
    });
    address
}

/// Draws from lists.
struct Dice(Random);

impl Dice {
    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.0.below(all.len() as u64) as usize].clone()
    }

    fn happens(&mut self, once_in: u64) -> bool {
        self.0.below(once_in) == 0
    }

    fn route(&mut self, at: usize) -> Value {
        let mut route = json!({
            "key": format!("mesh/routes/r{at}"), "index": self.0.below(5),
            "hosts": self.of(&[
                json!(["shop.test"]), json!(["*.test"]), json!(["*"]), json!(["a.shop.test", "shop.test"]),
                json!(["*.shop.test"]), json!(["one.mesh"]), json!(["*.mesh"]),
            ]),
            "path": self.of(&[
                json!({"prefix": "/"}), json!({"prefix": "/a"}), json!({"prefix": "/a/b"}), json!({"prefix": "/a/"}),
                json!({"exact": "/a/b"}), json!({"glob": "/a/*/c"}), json!({"regex": "/a/(b|c)(/.*)?"}),
            ]),
            "priority": self.of(&[0, 0, 0, 0, 1, -1]),
            "action": self.action(),
            "response_headers": {"set": [{"name": "x-route", "value": format!("r{at}")}], "add": [], "remove": ["x-no"]},
        });
        self.conditions(&mut route);
        self.changes(&mut route);
        route
    }

    fn action(&mut self) -> Value {
        match self.0.below(8) {
            0 => {
                json!({"redirect": {"status": self.of(&[301, 308]), "location": self.of(&["https://new.test/", "http://{host}/x"]),
                "path": self.of(&["rest", "whole", "none"]), "query": self.of(&[true, false])}})
            }
            1 => {
                json!({"answer": {"status": self.of(&[200, 204, 403]), "body": "", "content_type": "text/plain"}})
            }
            2 => json!({"split": [{"cluster": self.of(&DEAD), "weight": 1}]}),
            3 => {
                json!({"split": [{"cluster": "one", "weight": 2}, {"cluster": "two", "weight": 1}]})
            }
            4 => {
                json!({"split": [{"cluster": "one", "weight": 0}, {"cluster": "two", "weight": 1}]})
            }
            _ => json!({"split": [{"cluster": self.of(&ALIVE), "weight": 1}]}),
        }
    }

    fn conditions(&mut self, route: &mut Value) {
        let choices = [
            ("methods", json!(["GET"])),
            ("methods", json!(["POST", "PUT"])),
            ("headers", json!([{"name": "x-a", "exact": "1"}])),
            (
                "headers",
                json!([{"name": "x-a", "present": true, "negated": true}]),
            ),
            (
                "headers",
                json!([{"name": "x-b", "prefix": "b-"}, {"name": "x-a", "regex": "[0-9]+"}]),
            ),
            (
                "headers",
                json!([{"name": "x-forwarded-for", "present": true}]),
            ),
            ("query", json!([{"name": "q", "present": true}])),
            ("query", json!([{"name": "q", "exact": "a b"}])),
            ("cookies", json!([{"name": "g", "suffix": "1"}])),
            ("client_addresses", json!(["10.0.0.0/8"])),
            ("client_addresses", json!(["127.0.0.1"])),
            ("sources", json!(["edge"])),
            ("sources", json!(["web"])),
        ];
        for _ in 0..self.of(&[0, 0, 1, 2]) {
            let (field, value) = self.of(&choices);
            route[field] = value;
        }
    }

    fn changes(&mut self, route: &mut Value) {
        if self.happens(3) {
            route["strip_prefix"] = "/a".into();
        }
        if self.happens(4) {
            route["add_prefix"] = "/v2".into();
        }
        if self.happens(6) {
            route["strip_prefix"] = Value::Null;
            route["add_prefix"] = Value::Null;
            // The second makes no path of most.
            let to = self.of(&["/x$1", "$1"]);
            route["rewrite_path"] = json!({"regex": "/a(.*)", "to": to});
        }
        if self.happens(4) {
            route["rewrite_host"] = self.of(&["in.test", "in.test:81"]).into();
        }
        if self.happens(3) {
            route["request_headers"] = json!({"set": [{"name": "x-a", "value": "set"}],
                "add": [{"name": "x-b", "value": "added"}], "remove": ["x-c", "cookie"]});
        }
    }

    fn request(&mut self, hosts: &[&str]) -> Value {
        let mut headers = Vec::new();
        for _ in 0..self.0.below(4) {
            headers.push(self.of(&[
                ["x-a", "1"],
                ["x-a", "22"],
                ["x-b", "b-1"],
                ["X-C", "gone"],
                ["cookie", "g=1; h=2"],
                ["cookie", "g=2"],
                ["x-forwarded-for", "10.0.0.9"],
                ["mesh-reason", "made-up"],
                ["te", "trailers"],
                ["connection", "x-a"],
                ["accept", "application/json"],
                ["max-forwards", "0"],
            ]));
        }
        if self.happens(40) {
            // What the codec refuses, or the proxy does not take.
            headers.push(self.of(&[
                ["x bad", "1"],
                ["host", "twice.test"],
                ["transfer-encoding", "gzip, chunked"],
                ["upgrade", "websocket"],
                ["expect", "miracles"],
                ["via", "1.1 meshnode"],
            ]));
        }
        json!({
            "method": self.of(&["GET", "GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"]),
        "host": self.of(hosts),
            "path": self.of(&["/", "/a", "/a/", "/a/b", "/a/b/c", "/a/c?q=1", "/a/b?q=a%20b&q", "/ab", "//a//b", "/a/%62",
                              "/a%2Fb", "/a/../b", "/a;x/b", "/%zz", "/a/b/c/d", "/a/x/c", "*", "/a b"]),
            "headers": headers,
        })
    }

    fn table(&mut self, number: usize, listener: &Value, origins: &[(&str, SocketAddr)]) -> Value {
        let endpoint = |id: String, address: &SocketAddr, draining| json!({"id": id, "node": "old-box", "address": address, "weight": 1, "via": "clear", "draining": draining});
        let mut clusters = json!({
            "empty": {"service": "empty", "exists": true, "instances": 2, "endpoints": []},
            "gone": {"service": "gone", "exists": false, "instances": 0, "endpoints": []},
            "drained": {"service": "drained", "exists": true, "instances": 1,
                        "endpoints": [endpoint("drained-1".to_owned(), &origins[0].1, true)]},
        });
        for (name, address) in origins {
            let endpoints = [1, 2].map(|at| endpoint(format!("{name}-{at}"), address, false));
            clusters[*name] =
                json!({"service": name, "exists": true, "instances": 2, "endpoints": endpoints});
        }
        let routes: Vec<(String, Value)> = (0..ROUTES)
            .map(|at| (format!("r{at}"), self.route(at)))
            .collect();
        let trusted: &[&str] = if self.happens(2) {
            &["127.0.0.0/8"]
        } else {
            &[]
        };
        json!({
            "schema": 1, "kind": "full", "generation": number + 2, "digest": format!("sha256:{number}"),
            "resources": {
                "settings": {"node": {"node": "node-1", "datacenter": "dc1", "trust_domain": "test.consul",
                    "intention_default": "allow", "trace_ratio": 0.0, "trusted_proxies": trusted,
                    "strict_paths": self.happens(2)}},
                "listeners": {"it": listener}, "routes": serde_json::Map::from_iter(routes), "clusters": clusters,
                "services": {}, "intentions": {"denied": {"destination": "denied", "rules": [
                    {"source": "*", "action": "deny", "name": "* => denied", "precedence": 8, "index": 3}]}},
            },
        })
    }
}

/// Sends a request as the document has it, and reads the answer.
async fn serve(proxy: &Proxy, client: &mut Option<Client>, request: &Value) -> String {
    let text = |field: &str| request[field].as_str().unwrap().to_owned();
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {}\r\n",
        text("method"),
        text("path"),
        text("host")
    );
    for field in request["headers"].as_array().unwrap() {
        let part = |at: usize| field[at].as_str().unwrap();
        head.extend([part(0), ": ", part(1), "\r\n"]);
    }
    let mut connection = match client.take() {
        Some(connection) => connection,
        None => proxy.connect().await,
    };
    connection.write(&(head + "\r\n")).await;
    let answer = connection.answer_to(&text("method")).await;
    if header(&answer, "connection") != Some("close") {
        *client = Some(connection);
    }
    answer
}

/// That what was served is what was explained.
fn compare(explained: &Value, request: &Value, served: &str) {
    let told = format!("{request}\n{explained:#}\n{served}");
    let status: u64 = served[9..12].parse().unwrap();
    let own = &explained["answer"];
    let is_head = request["method"] == "HEAD";
    if !own.is_null() {
        assert_eq!(own["status"], status, "{told}");
        assert_eq!(
            own["reason"],
            header(served, "mesh-reason").unwrap_or(""),
            "{told}"
        );
        assert_eq!(
            own["location"].as_str(),
            header(served, "location"),
            "{told}"
        );
        if own["reason"] == "" && status != 405 && header(served, "allow").is_none() {
            assert_eq!(
                explained["route"]["name"].as_str(),
                header(served, "x-route"),
                "{told}"
            );
        }
        if own["reason"] != "" && !is_head && !served.contains("application/json") {
            assert!(
                body(served).contains(own["message"].as_str().unwrap()),
                "{told}"
            );
        }
        return;
    }
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        explained["route"]["name"].as_str(),
        header(served, "x-route"),
        "{told}"
    );
    let cluster = header(served, "x-cluster").unwrap();
    let parts = explained["split"].as_array().unwrap();
    let is_part = |part: &Value| part["cluster"] == cluster && part["weight"] != 0;
    assert!(
        if parts.len() > 1 {
            parts.iter().any(is_part)
        } else {
            explained["cluster"] == cluster
        },
        "{told}"
    );
    if is_head {
        return;
    }
    let mut lines = body(served).trim_end().split("\r\n");
    assert_eq!(
        explained["request"]["line"].as_str(),
        lines.next(),
        "{told}"
    );
    let sent: Vec<Value> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| json!([name.to_ascii_lowercase(), value]))
        .filter(|field| field[0] != "traceparent")
        .collect();
    assert_eq!(explained["request"]["headers"], json!(sent), "{told}");
}

fn ask(proxy: &Proxy, document: &Value) -> Result<Value, Refusal> {
    let answer = explain(&proxy.worker.snapshot(), document.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

#[test]
fn what_is_explained_is_what_is_served() {
    run_for(PATIENCE, async {
        let mut origins = Vec::new();
        for name in ALIVE {
            origins.push((name, echo(name).await));
        }
        let mut counts = [0; 2];
        for (kind, identity, service, hosts) in [
            ("edge", "edge", None, &PUBLIC[..]),
            ("outbound", "web", Some("web"), &INSIDE),
        ] {
            let listener = |address: &Value| {
                let mut listener = json!({"kind": kind, "address": address, "identity": identity});
                if let Some(service) = service {
                    listener["service"] = service.into();
                    listener["proof"] = "port".into();
                }
                listener
            };
            let proxy = Proxy::with(&[], |resources| {
                resources["listeners"]["edge"] =
                    listener(&resources["listeners"]["edge"]["address"]);
            })
            .await;
            let address = json!(proxy.address.to_string());
            let mut dice = Dice(Random::from_seed(20_261_123));
            for number in 0..TABLES.div_ceil(2) {
                let table = dice.table(number, &listener(&address), &origins);
                let requests: Vec<Value> = (0..REQUESTS).map(|_| dice.request(hosts)).collect();
                let before = proxy.worker.snapshot();
                let mut document =
                    json!({"requests": requests, "considered": 3, "snapshot": table});
                for request in document["requests"].as_array_mut().unwrap() {
                    request["listener"] = kind.into();
                }
                let explained = ask(&proxy, &document).unwrap();
                assert!(
                    Arc::ptr_eq(&before, &proxy.worker.snapshot()),
                    "a candidate came in force"
                );
                assert_eq!(explained["generation"], number + 2);
                proxy.put(&table);
                let mut client = None;
                for (at, request) in requests.iter().enumerate() {
                    let explained = &explained["answers"][at];
                    let served = serve(&proxy, &mut client, request).await;
                    compare(explained, request, &served);
                    counts[usize::from(explained["answer"].is_null())] += 1;
                }
            }
        }
        assert!(counts.iter().sum::<usize>() >= 10_000, "{counts:?}");
        assert!(
            counts.iter().all(|count| *count > 2_000),
            "one-sided: {counts:?}"
        );
    });
}

#[test]
fn the_nearest_routes_come_first_with_what_keeps_them() {
    run(async {
        let proxy = Proxy::with(&[], |resources| {
            let action = json!({"split": [{"cluster": "shop", "weight": 1}]});
            let mut route = |name: &str, host: &str, path: &str, more: Value| {
                let mut route = json!({"key": format!("mesh/routes/{name}"), "index": 9, "hosts": [host],
                    "path": {"prefix": path}, "action": action});
                route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                resources["routes"][name] = route;
            };
            route("beta", "shop.test", "/cart", json!({"headers": [{"name": "x-beta", "exact": "1"}]}));
            route("cart", "shop.test", "/cart", json!({}));
            route("stock", "shop.test", "/stock", json!({}));
            route("far", "far.example", "/x", json!({}));
            route("typo", "shap.test", "/cart", json!({}));
        })
        .await;
        let request = json!({"host": "Shop.test", "path": "/cart/7"});
        let explained = ask(&proxy, &json!({"requests": [request]})).unwrap();
        let answer = &explained["answers"][0];
        assert_eq!(answer["route"]["name"], "cart");
        assert_eq!(answer["routes"], 6);
        let told: Vec<_> = answer["considered"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| ["name", "code", "sentence"].map(|field| row[field].as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ["shop", "outranked", "shorter path than that of cart"],
                ["beta", "header", "header x-beta is missing"],
                [
                    "stock",
                    "path",
                    "it takes /stock and what is below it, not /cart/7"
                ],
                ["typo", "host", "it takes shap.test, not shop.test"],
                ["far", "host", "it takes far.example, not shop.test"],
            ]
        );
        assert_eq!(answer["answer"]["reason"], "no_healthy_endpoint");
        assert_eq!(
            (&answer["cluster"], &answer["destination"]),
            (&json!("shop"), &json!("shop"))
        );
    });
}

#[test]
fn what_is_changed_says_by_what() {
    run(async {
        let origin = echo("shop").await;
        let proxy = Proxy::with(&[origin], |resources| {
            let route = &mut resources["routes"]["shop"];
            route["strip_prefix"] = "/a".into();
            route["rewrite_host"] = "in.test".into();
            route["request_headers"] = json!({"set": [{"name": "x-a", "value": "2"}], "add": [], "remove": ["x-b", "x-c"]});
            route["response_headers"] = json!({"set": [], "add": [], "remove": ["server"]});
        })
        .await;
        let request = json!({"host": "SHOP.test", "path": "/a//b?c=d", "headers": [["X-A", "1"], ["x-b", "3"]]});
        let explained = ask(&proxy, &json!({"requests": [request]})).unwrap();
        let answer = &explained["answers"][0];
        assert_eq!(answer["request"]["line"], "GET /b?c=d HTTP/1.1");
        let row = |what: &str, from: Option<&str>, to: Option<&str>, by: &str| json!({"what": what, "from": from, "to": to, "by": by});
        assert_eq!(
            answer["request"]["changes"],
            json!([
                row("path", Some("/a//b?c=d"), Some("/a/b?c=d"), "normal form"),
                row("path", Some("/a/b?c=d"), Some("/b?c=d"), "strip_prefix"),
                row("host", Some("SHOP.test"), Some("shop.test"), "normal form"),
                row("host", Some("shop.test"), Some("in.test"), "rewrite_host"),
                row("header x-b", Some("3"), None, "request_headers.remove"),
                row("header x-a", Some("1"), Some("2"), "request_headers.set"),
            ])
        );
        assert_eq!(
            answer["response_changes"],
            json!([row("header server", None, None, "response_headers.remove")])
        );
        assert_eq!(answer["endpoints"][0]["is_usable"], true);
    });
}

#[test]
fn an_inbound_call_is_explained_by_who_calls_whom() {
    run(async {
        let proxy = Proxy::with(&[], |resources| {
            resources["services"] = json!({"cart": {"service": "cart", "instances": [
                {"id": "cart-1", "addresses": ["127.0.0.1:9"], "healthy": false},
                {"id": "cart-2", "addresses": ["127.0.0.1:8"], "healthy": true}]}});
            resources["intentions"] = json!({"cart": {"destination": "cart", "rules": [
                {"source": "web", "action": "deny", "name": "web => cart", "precedence": 9, "index": 3}]}});
        })
        .await;
        let request = |source: &str| json!({"listener": "inbound", "source": source, "destination": "cart", "host": "cart.mesh", "path": "/"});
        let explained = ask(
            &proxy,
            &json!({"requests": [request("web"), request("api")]}),
        )
        .unwrap();
        let (denied, allowed) = (&explained["answers"][0], &explained["answers"][1]);
        assert_eq!(denied["answer"]["reason"], "intention_denied");
        assert_eq!(denied["intention"]["name"], "web => cart");
        assert_eq!(
            (&allowed["answer"], &allowed["intention"]["is_allowed"]),
            (&Value::Null, &json!(true))
        );
        let usable: Vec<_> = allowed["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["code"])
            .collect();
        assert_eq!(usable, [&json!("unhealthy"), &Value::Null]);
    });
}

#[test]
fn a_wrong_question_is_told_so() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        for (document, path, words) in [
            (json!({}), "", "requests"),
            (
                json!({"requests": [], "snapshot": {"schema": 7}}),
                "schema",
                "7",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "listener": "nope"}]}),
                "requests[0]",
                "no listener",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "source": "web"}]}),
                "requests[0]",
                "everybody",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "listener": "inbound", "source": "web"}]}),
                "requests[0]",
                "destination",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "listener": "outbound"}]}),
                "requests[0]",
                "source",
            ),
            (
                json!({"requests": [{"host": "a\r\n", "path": "/"}]}),
                "requests[0]",
                "empty line",
            ),
            (json!({"requests": [{"host": "a"}]}), "requests[0]", "path"),
            (
                json!({"requests": [], "considered": 1001}),
                "considered",
                "1001",
            ),
        ] {
            let Err(Refusal::Invalid { path: at, sentence }) = ask(&proxy, &document) else {
                panic!("{document} was answered");
            };
            assert!(
                at == path && sentence.contains(words),
                "{document}: {at}: {sentence}"
            );
        }
        let delta = json!({"schema": 1, "kind": "delta", "base": "sha256:other", "generation": 2, "digest": "d"});
        let refused = ask(&proxy, &json!({"requests": [], "snapshot": delta}));
        assert!(matches!(refused, Err(Refusal::BaseNotInForce { .. })));
    });
}
