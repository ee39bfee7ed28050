//! The thread that has the listeners: compares what is wanted with what is open. May not serve a connection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};

use super::{ListenerStats, Question};
use crate::clock::{self, Instant};
use crate::listener::{
    Bound, Gate, ListenerState, ListenerStates, Phase, accept_all, bind, bind_group,
};
use crate::shared::Shared;
use crate::snapshot::{ListenerConfig, ListenerKind};
use crate::stats::Recorder;
use crate::threads::Threads;

/// The pause before a listener that failed is tried again, doubled each time. The first is short, because the usual
/// reason is a process that is about to end.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(5);
/// How long the sockets of a closed listener may take to give its address free for the next one.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// What is open, and what stands in the way of the rest.
pub(super) struct Reconciler {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
    stats: Rc<RefCell<Recorder>>,
    entries: BTreeMap<Arc<str>, Entry>,
    states: watch::Sender<Arc<ListenerStates>>,
}

/// A listener of the snapshot.
struct Entry {
    config: Arc<ListenerConfig>,
    phase: EntryPhase,
}

enum EntryPhase {
    Open(Arc<Gate>),
    Waiting(String),
    Failed {
        sentence: String,
        retry_at: Instant,
        pause: Duration,
    },
}

impl Reconciler {
    /// Nothing is open yet. The states are told by `states`.
    pub fn new(
        shared: Arc<Shared>,
        threads: Arc<Threads>,
        states: watch::Sender<Arc<ListenerStates>>,
    ) -> Self {
        Self {
            shared,
            threads,
            stats: Rc::default(),
            entries: BTreeMap::new(),
            states,
        }
    }

    /// Answers questions and follows changes until nobody can ask any more.
    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Question>) {
        let mut identities = self.shared.identities.changes();
        let mut certificates = self.shared.edge_tls.changes();
        let mut is_draining = false;
        loop {
            let retry_at = self.retry_at();
            tokio::select! {
                question = inbox.recv() => match question {
                    Some(question) => self.answer(question).await,
                    None => return,
                },
                // The sender lives as long as `self.shared`.
                _ = identities.changed() => self.reconcile().await,
                _ = certificates.changed() => self.reconcile().await,
                () = sleep_until(retry_at.unwrap_or_else(clock::now)), if retry_at.is_some() => {
                    self.reconcile().await;
                }
                () = self.shared.drained(), if !is_draining => {
                    is_draining = true;
                    self.reconcile().await;
                    self.threads.drain();
                }
            }
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Reconcile(tell) => {
                self.reconcile().await;
                let _ = tell.send(());
            }
            Question::Stats(tell) => {
                let snapshot = self.shared.snapshot.load();
                self.stats.borrow_mut().forget(&snapshot, clock::now());
                let recorder = self.stats.borrow().clone();
                let _ = tell.send(ListenerStats {
                    recorder,
                    active: self.active(),
                });
            }
        }
    }

    fn active(&self) -> BTreeMap<String, u64> {
        let open = self
            .entries
            .iter()
            .filter_map(|(name, entry)| match &entry.phase {
                EntryPhase::Open(gate) => Some((name.to_string(), gate.active() as u64)),
                _ => None,
            });
        open.collect()
    }

    fn retry_at(&self) -> Option<Instant> {
        let failed = self.entries.values().filter_map(|entry| match entry.phase {
            EntryPhase::Failed { retry_at, .. } => Some(retry_at),
            _ => None,
        });
        failed.min()
    }

    async fn reconcile(&mut self) {
        let snapshot = self.shared.snapshot.load_full();
        let wanted = if self.shared.is_draining() {
            BTreeMap::new()
        } else {
            snapshot.listeners.clone()
        };
        self.close_all_but(&wanted).await;
        for (name, config) in wanted {
            let before = self.entries.remove(&name);
            let phase = self.next_phase(before, &config);
            self.entries.insert(name, Entry { config, phase });
        }
        self.states.send_replace(Arc::new(self.describe()));
    }

    /// Closes the listeners that are not wanted any more, or elsewhere, and waits until their addresses are free.
    async fn close_all_but(&mut self, wanted: &BTreeMap<Arc<str>, Arc<ListenerConfig>>) {
        let mut closing = Vec::new();
        self.entries.retain(|name, entry| {
            let stays = wanted
                .get(name)
                .is_some_and(|config| stays_open(&entry.config, config));
            if let (EntryPhase::Open(gate), false) = (&entry.phase, stays) {
                gate.close();
                closing.push(Arc::clone(gate));
            }
            stays
        });
        let closed = async {
            for gate in closing {
                gate.closed().await;
            }
        };
        if timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            tracing::warn!("a closed listener's sockets are still open");
        }
    }

    fn next_phase(&self, before: Option<Entry>, config: &Arc<ListenerConfig>) -> EntryPhase {
        let pause = match before.map(|entry| entry.phase) {
            Some(EntryPhase::Open(gate)) => {
                gate.set_config(Arc::clone(config));
                return EntryPhase::Open(gate);
            }
            Some(EntryPhase::Failed {
                sentence,
                retry_at,
                pause,
            }) => {
                if clock::now() < retry_at {
                    return EntryPhase::Failed {
                        sentence,
                        retry_at,
                        pause,
                    };
                }
                (pause * 2).min(RETRY_LAST)
            }
            Some(EntryPhase::Waiting(_)) | None => RETRY_FIRST,
        };
        if let Some(sentence) = missing(config, &self.shared) {
            return EntryPhase::Waiting(sentence);
        }
        match self.open(config) {
            Ok(gate) => {
                tracing::info!(listener = %config.name, address = %config.address, "listening");
                EntryPhase::Open(gate)
            }
            Err(sentence) => {
                if pause == RETRY_FIRST {
                    tracing::warn!(listener = %config.name, "{sentence}; it is tried again");
                }
                EntryPhase::Failed {
                    sentence,
                    retry_at: clock::now() + pause,
                    pause,
                }
            }
        }
    }

    fn open(&self, config: &Arc<ListenerConfig>) -> Result<Arc<Gate>, String> {
        match config.kind {
            // Many short connections: each thread takes its own, and the kernel deals them out.
            ListenerKind::Edge => {
                let group = bind_group(config.address, self.threads.count())?;
                let gate = Gate::new(&self.shared, config, group.address);
                self.threads
                    .listen(group.sockets.into_iter().map(|socket| gate.door(socket)));
                Ok(gate)
            }
            // Few long ones, which by chance could all meet on one thread: they are dealt out by load.
            ListenerKind::Inbound | ListenerKind::Outbound => {
                let Bound { socket, address } = bind(config.address)?;
                let gate = Gate::new(&self.shared, config, address);
                let door = gate.door(socket);
                let (threads, stats) = (Arc::clone(&self.threads), Rc::clone(&self.stats));
                tokio::task::spawn_local(async move {
                    // Of these connections there are few, and the thread they go to refuses requests by itself.
                    let is_late = || false;
                    accept_all(door, &stats, is_late, |tcp, peer, listener, admission| {
                        // Only a runtime that is shutting down refuses; the connection is closed then.
                        if let Ok(tcp) = tcp.into_std() {
                            threads.serve(tcp, peer, listener, admission);
                        }
                    })
                    .await;
                });
                Ok(gate)
            }
        }
    }

    fn describe(&self) -> ListenerStates {
        let states = self.entries.iter();
        states
            .map(|(name, entry)| (Arc::clone(name), entry.describe()))
            .collect()
    }
}

impl Entry {
    fn describe(&self) -> ListenerState {
        let wanted = self.config.address;
        let (state, address, error) = match &self.phase {
            EntryPhase::Open(gate) => (Phase::Open, gate.address, None),
            EntryPhase::Waiting(why) => (Phase::Waiting, wanted, Some(why.clone())),
            EntryPhase::Failed { sentence, .. } => (Phase::Failed, wanted, Some(sentence.clone())),
        };
        ListenerState {
            state,
            address,
            error,
        }
    }
}

/// Whether a listener's sockets serve its new settings too.
fn stays_open(old: &ListenerConfig, new: &ListenerConfig) -> bool {
    old.kind == new.kind && old.address == new.address
}

/// What a listener waits for, if it does.
fn missing(config: &ListenerConfig, shared: &Shared) -> Option<String> {
    let identities = &shared.identities;
    match (&config.identity, config.kind) {
        (Some(name), _) if identities.get(name).is_none() => {
            Some(format!("waits for the identity {name:?}"))
        }
        (None, ListenerKind::Inbound) if identities.is_empty() => {
            Some("waits for the first identity".to_owned())
        }
        _ if config.tls.is_some() && !shared.edge_tls.has_certificate() => {
            Some("waits for the first certificate".to_owned())
        }
        _ => None,
    }
}
