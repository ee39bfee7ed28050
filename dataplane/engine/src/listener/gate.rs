//! What the sockets of one listener have in common, on whichever threads they are. It may not own a socket.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::clients::Counted;
use crate::overload::Cause;
use crate::shared::Shared;
use crate::snapshot::{Limits, ListenerConfig, ListenerKind, Settings};

/// One open listener. Its settings may change while it is open; what was accepted before keeps the old ones.
pub struct Gate {
    /// Where its sockets listen: with port 0 in the settings the one the system chose.
    pub address: SocketAddr,
    config: ArcSwap<ListenerConfig>,
    shared: Arc<Shared>,
    active: AtomicUsize,
    is_closing: watch::Sender<bool>,
    /// Sockets that are open still.
    sockets: watch::Sender<usize>,
}

impl Gate {
    /// A listener with the settings `config` that listens at `address`, without sockets yet.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        config: &Arc<ListenerConfig>,
        address: SocketAddr,
    ) -> Arc<Self> {
        Arc::new(Self {
            address,
            config: ArcSwap::new(Arc::clone(config)),
            shared: Arc::clone(shared),
            active: AtomicUsize::new(0),
            is_closing: watch::Sender::new(false),
            sockets: watch::Sender::new(0),
        })
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<ListenerConfig> {
        self.config.load_full()
    }

    /// Other settings for what is accepted from now on.
    pub fn set_config(&self, config: Arc<ListenerConfig>) {
        self.config.store(config);
    }

    /// Lets one more connection of `peer` in, unless the process has as many as it may, or `peer` has.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Admission, Cause> {
        let snapshot = self.shared.snapshot.load();
        let counted = self.count(peer, &snapshot.settings)?;
        let limit = self
            .shared
            .overload
            .connections_most(&snapshot.settings.limits);
        if self.shared.connections.fetch_add(1, Ordering::Relaxed) >= limit {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Cause::Connections);
        }
        self.active.fetch_add(1, Ordering::Relaxed);
        Ok(Admission {
            gate: Arc::clone(self),
            load: None,
            _counted: counted,
        })
    }

    /// Counts a stranger's connection, unless it has as many as it may. Services of this machine share an address, and a
    /// trusted proxy stands for many clients: they are not counted.
    fn count(&self, peer: IpAddr, settings: &Settings) -> Result<Option<Counted>, Cause> {
        let is_outbound = self.config.load().kind == ListenerKind::Outbound;
        if is_outbound || settings.is_trusted_proxy(peer) {
            return Ok(None);
        }
        let most = self
            .shared
            .overload
            .connections_most_of_client(&settings.limits);
        let counted = self.shared.clients.enter(peer, most);
        counted.map(Some).ok_or(Cause::Client)
    }

    /// The bounds in force.
    fn limits(&self) -> Limits {
        self.shared.snapshot.load().settings.limits
    }

    /// Why no connection is to be taken for what the process uses, looked at anew.
    pub(crate) fn sheds_now(&self) -> Option<Cause> {
        self.shared.overload.connections_now(&self.limits())
    }

    /// The same, as it was last looked at.
    pub(crate) fn sheds(&self) -> Option<Cause> {
        self.shared.overload.pressure().connections
    }

    /// Connections that are open now.
    pub fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Counts a connection the system could not give.
    pub(crate) fn note_accept_error(&self) {
        self.shared
            .faults
            .accept_errors
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Asks all sockets to take what waits and then to close.
    pub fn close(&self) {
        self.is_closing.send_replace(true);
    }

    /// Resolves once the sockets are asked to close.
    pub(crate) async fn closing(&self) {
        // The sender lives as long as `self`, so waiting can't fail; the same below.
        let _ = self
            .is_closing
            .subscribe()
            .wait_for(|is_closing| *is_closing)
            .await;
    }

    /// Resolves once no socket is open any more.
    pub async fn closed(&self) {
        let _ = self
            .sockets
            .subscribe()
            .wait_for(|sockets| *sockets == 0)
            .await;
    }

    /// One socket of the listener. It counts as open until it is dropped.
    pub(crate) fn door(self: &Arc<Self>, socket: TcpListener) -> Door {
        self.sockets.send_modify(|sockets| *sockets += 1);
        Door {
            socket: Some(socket),
            gate: Arc::clone(self),
        }
    }
}

/// One socket of a listener.
pub(crate) struct Door {
    socket: Option<TcpListener>,
    gate: Arc<Gate>,
}

impl Door {
    /// The listener it belongs to.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The socket, to be closed before this is dropped.
    pub fn take_socket(&mut self) -> Option<TcpListener> {
        self.socket.take()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.socket = None;
        self.gate.sockets.send_modify(|sockets| *sockets -= 1);
    }
}

/// That a connection was let in; it counts as open until this is dropped.
pub struct Admission {
    gate: Arc<Gate>,
    load: Option<Arc<AtomicUsize>>,
    /// Of its client, where it counts there.
    _counted: Option<Counted>,
}

impl Admission {
    /// Counts the connection as part of a thread's load, too.
    #[must_use]
    pub(crate) fn on_thread(mut self, load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        self.load = Some(Arc::clone(load));
        self
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(load) = &self.load {
            load.fetch_sub(1, Ordering::Relaxed);
        }
        let shared = &self.gate.shared;
        if std::thread::panicking() {
            shared.faults.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(listener = %self.gate.config().name, "a connection ended by a fault of ours");
        }
        self.gate.active.fetch_sub(1, Ordering::Relaxed);
        if shared.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
            shared.quiet.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{ListenerKind, ListenerProtocol, Proof};

    fn gate() -> (Arc<Shared>, Arc<Gate>) {
        let shared = Arc::new(Shared::new());
        let address = "127.0.0.1:0".parse().unwrap();
        let config = Arc::new(ListenerConfig {
            name: "edge".into(),
            kind: ListenerKind::Edge,
            protocol: ListenerProtocol::Http,
            address,
            identity: None,
            service: None,
            destination: None,
            proof: Proof::User,
            owners: Vec::new(),
            uids: Vec::new(),
            tls: None,
        });
        let gate = Gate::new(&shared, &config, address);
        (shared, gate)
    }

    #[tokio::test]
    async fn a_panic_costs_its_connection_and_is_counted() {
        let (shared, gate) = gate();
        // The limit of an empty snapshot is the default one, far away.
        let load = Arc::new(AtomicUsize::new(0));
        let peer = gate.address.ip();
        let kept = gate.admit(peer).ok().unwrap().on_thread(&load);
        let admission = gate.admit(peer).ok().unwrap().on_thread(&load);
        assert_eq!((gate.active(), load.load(Ordering::Relaxed)), (2, 2));
        let task = tokio::spawn(async move {
            let _admission = admission;
            tokio::task::yield_now().await;
            panic!("as a fault of ours would");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(shared.faults.counts().panics, 1);
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        assert_eq!(
            (gate.active(), count(&load), count(&shared.connections)),
            (1, 1, 1)
        );
        drop(kept);
        assert_eq!(
            (gate.active(), count(&load), count(&shared.connections)),
            (0, 0, 0)
        );
        assert_eq!(shared.faults.counts().panics, 1);
    }

    #[tokio::test]
    async fn a_gate_is_closed_once_its_last_door_is() {
        let (_, gate) = gate();
        gate.closed().await;
        let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (first, second) = (gate.door(socket()), gate.door(socket()));
        drop(first);
        assert_eq!(*gate.sockets.borrow(), 1);
        drop(second);
        gate.closed().await;
    }
}
