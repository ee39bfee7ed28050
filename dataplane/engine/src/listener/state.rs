//! What became of each listener, as `PUT /v1/snapshot` answers it. It may not change it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

/// All listeners of the snapshot in force, by name.
pub type ListenerStates = BTreeMap<Arc<str>, ListenerState>;

/// What became of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListenerState {
    /// How far it is.
    pub state: Phase,
    /// Where it listens, or wants to.
    pub address: SocketAddr,
    /// Why it is not open, in one sentence.
    pub error: Option<String>,
}

/// How far a listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It takes connections.
    Open,
    /// Its identity is not there yet.
    Waiting,
    /// The system refuses; it is tried again.
    Failed,
}
