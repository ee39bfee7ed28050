//! Tables and requests at random.

use std::net::SocketAddr;

use meshnode_engine::random::Random;
use serde_json::{Value, json};

/// Of one table.
pub const ROUTES: usize = 30;

/// Clusters with an origin behind them, the last denied by an intention.
pub const ALIVE: [&str; 3] = ["one", "two", "denied"];
/// Hosts that the edge is asked for.
pub const PUBLIC: [&str; 9] = [
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
pub const INSIDE: [&str; 7] = [
    "one.mesh",
    "ONE.mesh:80",
    "two.mesh",
    "two.mesh.",
    "denied.mesh",
    "gone.mesh",
    "shop.test",
];
/// Clusters that answer nobody.
pub const DEAD: [&str; 3] = ["empty", "gone", "drained"];

/// Draws from lists.
pub struct Dice(pub Random);

impl Dice {
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.0.below(all.len() as u64) as usize].clone()
    }

    pub fn happens(&mut self, once_in: u64) -> bool {
        self.0.below(once_in) == 0
    }

    pub fn route(&mut self, at: usize) -> Value {
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
            "response_headers": self.response_headers(at),
        });
        self.conditions(&mut route);
        self.changes(&mut route);
        route
    }

    /// `x-route` says which route it was; the origins' answers have an `x-old`, and no `x-new`.
    fn response_headers(&mut self, at: usize) -> Value {
        let mut set = vec![json!({"name": "x-route", "value": format!("r{at}")})];
        let mut add = Vec::new();
        let mut remove = vec!["x-no"];
        match self.0.below(4) {
            0 => remove.push("x-old"),
            1 => set.push(json!({"name": "x-old", "value": "set"})),
            _ => {}
        }
        if self.happens(4) {
            set.push(json!({"name": "x-new", "value": "new"}));
        }
        if self.happens(3) {
            add.push(json!({"name": self.of(&["x-old", "x-new"]), "value": "added"}));
        }
        json!({"set": set, "add": add, "remove": remove})
    }

    pub fn action(&mut self) -> Value {
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

    pub fn conditions(&mut self, route: &mut Value) {
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

    pub fn changes(&mut self, route: &mut Value) {
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

    pub fn request(&mut self, hosts: &[&str]) -> Value {
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

    pub fn table(
        &mut self,
        number: usize,
        listener: &Value,
        origins: &[(&str, SocketAddr)],
    ) -> Value {
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
