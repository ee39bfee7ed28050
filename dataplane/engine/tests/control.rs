//! The control API over its socket: every call, every refusal with its sentence, and who may speak.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshnode_engine::control::Control;
use meshnode_engine::engine::Engine;
use meshnode_engine::identity::IdentityDocument;
use serde_json::{Value, json};
use support::ca::Authority;
use support::call::{Answer, call};
use support::snapshot::{edge, outbound, with_listeners};
use support::wait::until;

/// An engine with its control socket, in a folder of its own.
struct Node {
    engine: Arc<Engine>,
    control: Option<Control>,
    folder: PathBuf,
}

impl Node {
    fn start() -> Self {
        let folder = folder();
        let engine = Arc::new(Engine::start(2).unwrap());
        let control = Control::start(&engine, &folder.join("proxy.sock")).unwrap();
        Self {
            engine,
            control: Some(control),
            folder,
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("proxy.sock")
    }

    fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        call(&self.socket(), method, path, body)
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, b"");
        assert_eq!(
            answer.status,
            200,
            "{path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.json()
    }

    fn put_identity(&self, document: &IdentityDocument) -> Answer {
        let path = format!("/v1/identities/{}", document.name);
        self.call("PUT", &path, body_of(document).to_string().as_bytes())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.control = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("meshnode-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn body_of(document: &IdentityDocument) -> Value {
    json!({
        "name": document.name,
        "spiffe_id": document.spiffe_id,
        "certificate_chain_pem": document.certificate_chain_pem,
        "private_key_pem": document.private_key_pem,
        "roots_pem": document.roots_pem,
        "not_after_unix_s": document.not_after_unix_s,
    })
}

#[test]
fn version_tells_what_is_in_force() {
    let node = Node::start();
    let version = node.get("/v1/version");
    assert_eq!(version["protocol"], 1);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["pid"], std::process::id());
    assert_eq!(
        (&version["generation"], &version["digest"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(version["identities"], json!([]));
    assert!(version["started_unix_ms"].as_u64().unwrap() > 1_700_000_000_000);
    node.put_identity(&Authority::new().document("edge"));
    node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    let version = node.get("/v1/version");
    assert_eq!(
        (&version["generation"], &version["digest"]),
        (&json!(1), &json!("sha256:1"))
    );
    assert_eq!(version["identities"], json!(["edge"]));
}

#[test]
fn a_snapshot_is_answered_with_what_became_of_its_listeners() {
    let node = Node::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = taken.local_addr().unwrap().to_string();
    let listeners = json!({
        "edge": edge("127.0.0.1:0"),
        "taken": edge(&taken_address),
        "web": outbound("127.0.0.1:0", "web"),
    });
    let answer = node.call("PUT", "/v1/snapshot", &with_listeners(&listeners));
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(
        (&answer["generation"], &answer["digest"]),
        (&json!(1), &json!("sha256:1"))
    );
    let listeners = &answer["listeners"];
    assert_eq!(listeners["edge"]["state"], "open");
    assert_eq!(listeners["edge"]["error"], Value::Null);
    TcpStream::connect(listeners["edge"]["address"].as_str().unwrap()).unwrap();
    assert_eq!(
        listeners["taken"],
        json!({
            "state": "failed", "address": taken_address,
            "error": format!("can't listen on {taken_address}: another process listens there"),
        })
    );
    assert_eq!(listeners["web"]["state"], "waiting");
    let whole = node.get("/v1/snapshot");
    assert_eq!(whole["kind"], "full");
    assert_eq!(
        whole["resources"]["listeners"]["taken"]["address"],
        taken_address
    );
    assert_eq!(whole["listeners"], *listeners);
    assert_eq!(node.get("/v1/stats")["listeners"], *listeners);
}

#[test]
fn a_delta_goes_on_top_of_its_base_only() {
    let node = Node::start();
    let delta = |base: &str, digest: &str| {
        let document = json!({
            "schema": 1, "kind": "delta", "base": base, "generation": 2, "digest": digest,
            "set": { "listeners": { "edge": edge("127.0.0.1:0") } }, "remove": {},
        });
        node.call("PUT", "/v1/snapshot", document.to_string().as_bytes())
    };
    let early = delta("sha256:1", "sha256:2");
    assert_eq!((early.status, &early.json()["digest"]), (409, &Value::Null));
    node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    let wrong = delta("sha256:0", "sha256:2");
    assert_eq!(
        (wrong.status, &wrong.json()["digest"]),
        (409, &json!("sha256:1"))
    );
    assert!(wrong.error().contains("base"));
    let right = delta("sha256:1", "sha256:2");
    assert_eq!(
        (right.status, &right.json()["listeners"]["edge"]["state"]),
        (200, &json!("open"))
    );
    assert_eq!(node.get("/v1/version")["digest"], "sha256:2");
}

#[test]
fn a_wrong_snapshot_is_refused_with_its_place_and_the_old_one_stays() {
    let node = Node::start();
    node.call(
        "PUT",
        "/v1/snapshot",
        &with_listeners(&json!({ "edge": edge("127.0.0.1:0") })),
    );
    let before = node.get("/v1/snapshot");
    let wrong = with_listeners(&json!({ "edge": edge("nowhere") }));
    let answer = node.call("PUT", "/v1/snapshot", &wrong);
    assert_eq!(answer.status, 422);
    assert!(
        answer.json()["path"]
            .as_str()
            .unwrap()
            .starts_with("listeners.edge")
    );
    for garbage in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        &[0xff; 64],
        b"{\"schema\":2}",
    ] {
        let answer = node.call("PUT", "/v1/snapshot", garbage);
        assert_eq!(answer.status, 422, "{garbage:?}");
        assert!(!answer.error().is_empty());
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        node.call("PUT", "/v1/snapshot", deep.as_bytes()).status,
        422
    );
    assert_eq!(node.get("/v1/snapshot"), before);
}

#[test]
fn a_question_is_answered_and_a_candidate_never_comes_in_force() {
    let node = Node::start();
    let request = json!({ "host": "a.test", "path": "/" });
    let ask = |snapshot: Value| {
        let document = json!({ "requests": [request], "snapshot": snapshot });
        node.call("POST", "/v1/explain", document.to_string().as_bytes())
    };
    node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    let answer = ask(Value::Null).json();
    assert_eq!(answer["generation"], 1);
    assert_eq!(answer["answers"][0]["answer"]["reason"], "no_route");

    let route = json!({ "key": "mesh/routes/a", "index": 1, "hosts": ["a.test"], "path": { "prefix": "/" },
        "action": { "redirect": { "status": 302, "location": "https://b.test/" } } });
    let delta = json!({ "schema": 1, "kind": "delta", "base": "sha256:1", "generation": 2, "digest": "sha256:2",
        "set": { "routes": { "a": route } } });
    let answer = ask(delta).json();
    assert_eq!(answer["generation"], 2);
    assert_eq!(
        answer["answers"][0]["answer"]["location"],
        "https://b.test/"
    );
    assert_eq!(node.get("/v1/version")["generation"], 1);

    let unknown =
        ask(json!({ "schema": 1, "kind": "delta", "base": "x", "generation": 2, "digest": "y" }));
    assert_eq!(
        (unknown.status, &unknown.json()["digest"]),
        (409, &json!("sha256:1"))
    );
    let wrong = ask(json!({ "schema": 1, "kind": "full" }));
    assert_eq!(wrong.status, 422, "{}", wrong.error());
}

#[test]
fn identities_come_and_go() {
    let node = Node::start();
    let document = Authority::new().document("web");
    let answer = node.put_identity(&document);
    assert_eq!(answer.status, 200);
    let wanted = json!({ "name": "web", "not_after_unix_s": document.not_after_unix_s });
    assert_eq!(answer.json(), wanted);
    assert_eq!(node.get("/v1/stats")["identities"], json!([wanted]));
    assert_eq!(node.call("DELETE", "/v1/identities/web", b"").status, 200);
    assert_eq!(node.call("DELETE", "/v1/identities/web", b"").status, 200);
    assert_eq!(node.get("/v1/version")["identities"], json!([]));
}

#[test]
fn a_refused_identity_is_told_without_its_key() {
    let node = Node::start();
    let document = Authority::new().document("web");
    let key = document.private_key_pem.lines().nth(1).unwrap().to_owned();
    let good = body_of(&document);
    let change = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let cases = [
        (
            change("private_key_pem", json!(key)),
            "no key that can be read",
        ),
        (
            change("roots_pem", json!(document.private_key_pem)),
            "roots_pem",
        ),
        (
            change("certificate_chain_pem", json!(document.private_key_pem)),
            "certificate_chain",
        ),
        (change("spiffe_id", json!("spiffe://x")), "the form is"),
        (
            change("not_after_unix_s", json!(document.private_key_pem)),
            "line 1, column",
        ),
        (
            change(&document.private_key_pem, json!(1)),
            "line 1, column",
        ),
        (
            change("name", json!("cart")),
            "the path says \"web\", the body \"cart\"",
        ),
        (json!([key]), "line 1, column"),
    ];
    for (body, wanted) in cases {
        let answer = node.call("PUT", "/v1/identities/web", body.to_string().as_bytes());
        assert_eq!(answer.status, 422);
        assert!(answer.error().contains(wanted), "{}", answer.error());
        assert!(
            !String::from_utf8_lossy(&answer.body).contains(&key),
            "{}",
            answer.error()
        );
    }
    assert_eq!(node.get("/v1/version")["identities"], json!([]));
}

#[test]
fn spans_are_waited_for_and_then_there_are_none() {
    let node = Node::start();
    for path in ["/v1/spans", "/v1/spans?wait_ms=20"] {
        let answer = node.call("GET", path, b"");
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
    for query in [
        "wait_ms",
        "wait_ms=",
        "wait_ms=-1",
        "wait_ms=x",
        "wait=1",
        "wait_ms=1&x=2",
    ] {
        let answer = node.call("GET", &format!("/v1/spans?{query}"), b"");
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.error().contains("wait_ms=<milliseconds>"));
    }
}

#[test]
fn a_drain_is_answered_at_once_and_nothing_new_is_taken() {
    let node = Node::start();
    node.call(
        "PUT",
        "/v1/snapshot",
        &with_listeners(&json!({ "edge": edge("127.0.0.1:0") })),
    );
    for (body, status) in [
        ("", 422),
        ("{}", 422),
        ("{\"grace_ms\":-1}", 422),
        ("{\"grace_ms\":86400001}", 422),
        ("{\"grace_ms\":1,\"x\":1}", 422),
        ("{\"grace_ms\":5000}", 200),
    ] {
        assert_eq!(
            node.call("POST", "/v1/drain", body.as_bytes()).status,
            status,
            "{body}"
        );
    }
    until("closed listeners", || {
        node.engine.listener_states().is_empty()
    });
    assert_eq!(node.get("/v1/stats")["draining"], true);
    let late = node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    assert_eq!(late.status, 503);
    assert!(late.error().contains("going away"));
}

#[test]
fn what_is_not_there_is_told_in_a_sentence() {
    let node = Node::start();
    let cases = [
        ("GET", "/", 404, None),
        ("GET", "/v1", 404, None),
        ("GET", "/v2/version", 404, None),
        ("GET", "/v1/version/", 404, None),
        ("GET", "/v1/identities", 404, None),
        ("POST", "/v1/version", 405, Some("GET")),
        ("DELETE", "/v1/snapshot", 405, Some("GET, PUT")),
        ("GET", "/v1/identities/web", 405, Some("DELETE, PUT")),
        ("PUT", "/v1/stats", 405, Some("GET")),
        ("GET", "/v1/drain", 405, Some("POST")),
        ("GET", "/v1/explain", 405, Some("POST")),
        ("POST", "/v1/spans", 405, Some("GET")),
    ];
    for (method, path, status, allow) in cases {
        let answer = node.call(method, path, b"");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (status, allow),
            "{method} {path}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(!answer.error().is_empty());
    }
}

#[test]
fn a_body_over_its_limit_is_refused() {
    let node = Node::start();
    let body = vec![b' '; (1 << 20) + 1];
    for (method, path) in [("PUT", "/v1/identities/web"), ("POST", "/v1/drain")] {
        let answer = node.call(method, path, &body);
        assert_eq!(answer.status, 413, "{path}");
        assert!(answer.error().contains("limit of 1048576 bytes"));
    }
    let answer = node.call("PUT", "/v1/snapshot", &vec![b' '; (64 << 20) + 1]);
    assert_eq!(answer.status, 413);
}

#[test]
fn the_socket_is_ours_alone() {
    let node = Node::start();
    let mode = fs::metadata(node.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(&node.folder).unwrap().count(),
        1,
        "nothing else is left there"
    );
}

#[test]
fn a_stranger_is_refused_whatever_the_rights_of_the_file() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root, so no process of another user can be made: left out");
        return;
    }
    let node = Node::start();
    fs::set_permissions(node.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let script = "import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
try:
    connection.sendall(b'GET /v1/version HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
    answer = connection.recv(1)
except ConnectionError:
    answer = b''
sys.exit(42 if answer else 43)";
    // Debian's own, because the first one in the path may lie in root's home.
    let status = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(node.socket())
        .uid(54_321)
        .gid(54_321)
        .current_dir("/")
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(43), "connected, and not answered");
    assert_eq!(
        node.engine
            .shared
            .faults
            .control_refused
            .load(Ordering::Relaxed),
        1
    );
    assert_eq!(node.get("/v1/version")["protocol"], 1);
}

#[test]
fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
    let folder = folder();
    let path = folder.join("proxy.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let engine = Arc::new(Engine::start(1).unwrap());
    let control = Control::start(&engine, &path).unwrap();
    let sentence = Control::start(&engine, &path).err().unwrap();
    assert!(
        sentence.contains("another process answers on it"),
        "{sentence}"
    );
    assert_eq!(call(&path, "GET", "/v1/version", b"").status, 200);
    drop(control);
    assert!(!path.exists(), "the file goes with the socket");
    fs::write(&path, "a letter").unwrap();
    let sentence = Control::start(&engine, &path).err().unwrap();
    assert!(
        sentence.contains("something else than a socket"),
        "{sentence}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "a letter");
    let sentence = Control::start(&engine, &folder.join("no/such.sock"))
        .err()
        .unwrap();
    assert!(
        sentence.contains("no/such.sock") && sentence.contains("No such file"),
        "{sentence}"
    );
    let long = folder.join("a".repeat(120));
    assert!(
        Control::start(&engine, &long)
            .err()
            .unwrap()
            .contains("can't make")
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_successors_socket_is_not_removed() {
    let folder = folder();
    let path = folder.join("proxy.sock");
    let engine = Arc::new(Engine::start(1).unwrap());
    let old = Control::start(&engine, &path).unwrap();
    fs::remove_file(&path).unwrap();
    let new = Control::start(&engine, &path).unwrap();
    drop(old);
    assert_eq!(call(&path, "GET", "/v1/version", b"").status, 200);
    drop(new);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn who_breaks_off_or_talks_nonsense_hurts_nobody() {
    let node = Node::start();
    for bytes in [
        &b""[..],
        b"\0\0\0",
        b"PUT /v1/snapshot HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{",
    ] {
        let mut stream = UnixStream::connect(node.socket()).unwrap();
        stream.write_all(bytes).unwrap();
    }
    // More silent connections than there is room for wait; when they go, it goes on.
    let silent: Vec<_> = (0..80)
        .map(|_| UnixStream::connect(node.socket()).unwrap())
        .collect();
    drop(silent);
    assert_eq!(node.get("/v1/version")["protocol"], 1);
}

#[test]
fn a_waiting_call_holds_nothing_up_and_ends_with_the_control() {
    let mut node = Node::start();
    let mut waiting = UnixStream::connect(node.socket()).unwrap();
    waiting
        .write_all(b"GET /v1/spans?wait_ms=30000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(node.get("/v1/version")["protocol"], 1);
    node.control = None;
    waiting
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert!(matches!(waiting.read(&mut [0; 1]), Ok(0)));
    assert!(!Path::new(&node.socket()).exists());
}
