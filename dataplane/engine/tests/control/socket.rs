//! The socket itself: who may speak, what becomes of one that was left, and of those who break off.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::node::{Node, folder};
use crate::support::call::call;
use meshnode_engine::control::Control;
use meshnode_engine::engine::Engine;

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
    assert_eq!(node.get("/v1/version")["protocol"], 3);
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
    assert_eq!(node.get("/v1/version")["protocol"], 3);
}

#[test]
fn a_waiting_call_holds_nothing_up_and_ends_with_the_control() {
    let mut node = Node::start();
    let mut waiting = UnixStream::connect(node.socket()).unwrap();
    waiting
        .write_all(b"GET /v1/spans?wait_ms=30000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(node.get("/v1/version")["protocol"], 3);
    node.control = None;
    waiting
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert!(matches!(waiting.read(&mut [0; 1]), Ok(0)));
    assert!(!Path::new(&node.socket()).exists());
}
