//! The program as a process: its flags, its signals, its sentences when it can't begin.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_meshnode-proxy");

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

/// How the program ended that could not begin: its exit code and its sentence.
fn refusal(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("meshnode-proxy-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A snapshot with one edge listener that opens at once.
    fn snapshot(&self) -> String {
        let document = json!({
            "schema": 1, "kind": "full", "generation": 7, "digest": "sha256:7",
            "resources": {
                "settings": { "node": {
                    "node": "node-1", "datacenter": "dc1", "trust_domain": "t.consul",
                    "intention_default": "allow", "trace_ratio": 1.0, "trusted_proxies": [],
                    "limits": {},
                } },
                "listeners": {
                    "edge": { "kind": "edge", "address": "127.0.0.1:0", "identity": null },
                },
            },
        });
        self.write("snapshot.json", &document.to_string(), 0o644)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program, running; killed when the test is over.
struct Proxy {
    child: Child,
    errors: BufReader<ChildStderr>,
}

impl Proxy {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        let mut child = command
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        Self { child, errors }
    }

    /// The address it says it listens on.
    fn address(&mut self) -> String {
        self.line("listening on ")
            .split_whitespace()
            .nth(2)
            .unwrap()
            .to_owned()
    }

    fn line(&mut self, begin: &str) -> String {
        let mut line = String::new();
        while !line.starts_with(begin) {
            line.clear();
            assert_ne!(self.errors.read_line(&mut line).unwrap(), 0, "it ended");
        }
        line
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        until("its end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "waits for another process, on the system's time"
)]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn request(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn call(socket: &Path, request: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn version(socket: &Path) -> std::io::Result<String> {
    call(
        socket,
        "GET /v1/version HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n",
    )
}

#[test]
fn flags_are_told_and_wrong_ones_refused() {
    let told = run(&["--version"]);
    assert!(told.status.success());
    let wanted = format!(
        "meshnode-proxy {} (protocol 3)\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(String::from_utf8(told.stdout).unwrap(), wanted);
    assert!(
        run(&["--help"])
            .stdout
            .starts_with(b"meshnode-proxy: the data plane")
    );
    let (code, sentence) = refusal(&["--loud"]);
    assert_eq!(code, 2);
    assert_eq!(
        sentence,
        "meshnode-proxy: there is no flag --loud\nTry meshnode-proxy --help.\n"
    );
    assert_eq!(refusal(&[]).0, 2);
}

#[test]
fn it_runs_alone_with_a_snapshot() {
    let folder = Folder::new();
    let mut proxy = Proxy::start(&["--snapshot", &folder.snapshot(), "--threads", "2"]);
    let answer = request(&proxy.address()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains("no_route"), "{answer}");
}

#[test]
fn what_hinders_it_is_told_in_one_sentence() {
    let folder = Folder::new();
    let bad = folder.write("bad.json", "{\"schema\":1,\"kind\":\"half\"}", 0o644);
    let open = folder.write("open.json", "[]", 0o640);
    let half = folder.write(
        "half.json",
        "[{\"name\":\"web\",\"private_key_pem\":\"SECRET",
        0o600,
    );
    let letter = folder.write("letter", "a letter", 0o600);
    let good = folder.snapshot();
    let cases: [(&[&str], String); 6] = [
        (
            &["--snapshot", "/no/such"],
            "the snapshot in /no/such is refused: No such".to_owned(),
        ),
        (
            &["--snapshot", &bad],
            format!("the snapshot in {bad} is refused: kind"),
        ),
        (
            &["--snapshot", &good, "--identities", &open],
            format!("the identities in {open} are refused: others may read the keys (mode 640)"),
        ),
        (
            &["--snapshot", &good, "--identities", &half],
            format!("the identities in {half} are refused: can't be read at line 1, column"),
        ),
        (
            &["--control", &letter],
            format!("can't make the control socket {letter}: something else than a socket"),
        ),
        (
            &["--control", "/no/such/proxy.sock"],
            "can't make the control socket /no/such/proxy.sock: No such file".to_owned(),
        ),
    ];
    for (arguments, wanted) in cases {
        let (code, text) = refusal(arguments);
        assert_eq!(code, 1, "{text}");
        let sentence = text.lines().last().unwrap();
        assert!(
            sentence.starts_with(&format!("meshnode-proxy: {wanted}")),
            "{sentence}"
        );
        assert!(!text.contains("SECRET"));
    }
}

#[test]
fn a_second_one_on_the_same_socket_is_refused() {
    let folder = Folder::new();
    let path = folder.path("proxy.sock");
    let _first = Proxy::start(&["--control", &path, "--threads", "1"]);
    until("the socket", || version(Path::new(&path)).is_ok());
    let (code, text) = refusal(&["--control", &path]);
    assert_eq!(code, 1);
    assert!(text.ends_with(&format!(
        "control socket {path}: another process answers on it\n"
    )));
    assert!(
        version(Path::new(&path))
            .unwrap()
            .contains("\"protocol\":3")
    );
}

#[test]
fn after_a_kill_the_next_one_takes_the_socket_over() {
    let folder = Folder::new();
    let path = folder.path("proxy.sock");
    let mut first = Proxy::start(&["--control", &path, "--threads", "1"]);
    until("the socket", || version(Path::new(&path)).is_ok());
    first.signal(Signal::KILL);
    first.exit_code();
    assert!(Path::new(&path).exists());
    let second = Proxy::start(&["--control", &path, "--threads", "1"]);
    let pid = format!("\"pid\":{}", second.child.id());
    until("the next one", || {
        version(Path::new(&path)).is_ok_and(|text| text.contains(&pid))
    });
}

#[test]
fn sigterm_lets_what_runs_end() {
    let folder = Folder::new();
    let path = folder.path("proxy.sock");
    let mut proxy = Proxy::start(&["--snapshot", &folder.snapshot(), "--control", &path]);
    let address = proxy.address();
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n")
        .unwrap();
    // Whatever was begun before the signal is answered, also by one that was only in the queue.
    proxy.signal(Signal::TERM);
    until("closed listeners", || TcpStream::connect(&address).is_err());
    assert!(
        proxy.child.try_wait().unwrap().is_none(),
        "it did not wait for what runs"
    );
    slow.write_all(b"\r\n").unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(
        !Path::new(&path).exists(),
        "the control socket's file goes with it"
    );
}

#[test]
fn sigint_ends_it_at_once() {
    let folder = Folder::new();
    let path = folder.path("proxy.sock");
    let mut proxy = Proxy::start(&["--snapshot", &folder.snapshot(), "--control", &path]);
    let address = proxy.address();
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    until("the control socket", || version(Path::new(&path)).is_ok());
    proxy.signal(Signal::INT);
    assert_eq!(proxy.exit_code(), Some(130));
    assert!(!Path::new(&path).exists());
}

#[test]
fn a_drain_over_the_control_socket_ends_it() {
    let folder = Folder::new();
    let path = folder.path("proxy.sock");
    let mut proxy = Proxy::start(&["--snapshot", &folder.snapshot(), "--control", &path]);
    proxy.address();
    until("the control socket", || version(Path::new(&path)).is_ok());
    let body = "{\"grace_ms\":60000}";
    let request = format!(
        "POST /v1/drain HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = call(Path::new(&path), &request).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn it_outlives_its_terminal_and_whoever_reads_its_log() {
    let folder = Folder::new();
    let path = folder.path("proxy.sock");
    let mut proxy = Proxy::start(&["--snapshot", &folder.snapshot(), "--control", &path]);
    let address = proxy.address();
    // Nobody reads its log any more, and its terminal hangs up.
    let Proxy { child, errors } = &mut proxy;
    let gone = std::mem::replace(errors, {
        let mut other = Command::new("true").stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(other.stderr.take().unwrap());
        other.wait().unwrap();
        errors
    });
    drop(gone);
    let pid = Pid::from_child(child);
    kill_process(pid, Signal::HUP).unwrap();
    // Each of these is logged.
    let put = "PUT /v1/identities/web HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\
               Content-Length: 2\r\n\r\n{}";
    for _ in 0..3 {
        until("a refusal", || {
            call(Path::new(&path), put).is_ok_and(|answer| answer.starts_with("HTTP/1.1 422"))
        });
    }
    assert!(request(&address).unwrap().starts_with("HTTP/1.1 404"));
    assert!(proxy.child.try_wait().unwrap().is_none());
}
