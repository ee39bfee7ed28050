//! An engine with its control socket, for the tests of it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::call::{Answer, call};
use meshnode_engine::control::Control;
use meshnode_engine::engine::Engine;
use meshnode_engine::identity::IdentityDocument;
use serde_json::{Value, json};

/// An engine with its control socket, in a folder of its own.
pub struct Node {
    pub engine: Arc<Engine>,
    pub control: Option<Control>,
    pub folder: PathBuf,
}

impl Node {
    pub fn start() -> Self {
        let folder = folder();
        let engine = Arc::new(Engine::start(2).unwrap());
        let control = Control::start(&engine, &folder.join("proxy.sock")).unwrap();
        Self {
            engine,
            control: Some(control),
            folder,
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("proxy.sock")
    }

    pub fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        call(&self.socket(), method, path, body)
    }

    pub fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, b"");
        assert_eq!(
            answer.status,
            200,
            "{path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.json()
    }

    pub fn put_identity(&self, document: &IdentityDocument) -> Answer {
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

pub fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("meshnode-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub fn body_of(document: &IdentityDocument) -> Value {
    json!({
        "name": document.name,
        "spiffe_id": document.spiffe_id,
        "certificate_chain_pem": document.certificate_chain_pem,
        "private_key_pem": document.private_key_pem,
        "roots_pem": document.roots_pem,
        "not_after_unix_s": document.not_after_unix_s,
    })
}
