//! Opens and closes listeners until they are as the snapshot and the identities want them. May not end the process:
//! what can't be opened is tried again, and told.

mod reconciler;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::timeout;

use self::reconciler::Reconciler;
use crate::listener::ListenerStates;
use crate::shared::Shared;
use crate::stats::Recorder;
use crate::threads::Threads;

/// How long a question waits for its answer: opening thousands of listeners takes less.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What is asked of the thread that has the listeners.
enum Question {
    /// Bring the listeners up to date, then tell their states.
    Reconcile(oneshot::Sender<()>),
    /// Tell what is counted of connections.
    Stats(oneshot::Sender<ListenerStats>),
}

/// What is counted of connections where they are taken.
#[derive(Debug, Default)]
pub struct ListenerStats {
    /// Connections taken and turned away by listeners that hand them to a thread.
    pub recorder: Recorder,
    /// Open connections by listener.
    pub active: BTreeMap<String, u64>,
}

/// The listeners, which live on a thread of their own.
pub struct Listeners {
    questions: mpsc::UnboundedSender<Question>,
    states: watch::Receiver<Arc<ListenerStates>>,
    handle: Option<JoinHandle<()>>,
}

impl Listeners {
    /// Starts the thread; it opens what the snapshot wants, now and after each change of identities.
    pub fn start(shared: &Arc<Shared>, threads: &Arc<Threads>) -> io::Result<Self> {
        let (questions, inbox) = mpsc::unbounded_channel();
        let (tell, states) = watch::channel(Arc::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (shared, threads) = (Arc::clone(shared), Arc::clone(threads));
        let handle = std::thread::Builder::new()
            .name("listeners".to_owned())
            .spawn(move || {
                let reconciler = Reconciler::new(shared, threads, tell);
                LocalSet::new().block_on(&runtime, reconciler.run(inbox));
            })?;
        Ok(Self {
            questions,
            states,
            handle: Some(handle),
        })
    }

    /// Brings the listeners up to date with the snapshot in force and tells what became of them.
    pub async fn reconcile(&self) -> Arc<ListenerStates> {
        let (tell, told) = oneshot::channel();
        let _ = self.questions.send(Question::Reconcile(tell));
        if !matches!(timeout(ANSWER_TIMEOUT, told).await, Ok(Ok(()))) {
            tracing::warn!("the listeners were not brought up to date in time");
        }
        self.states()
    }

    /// What became of the listeners, as far as is known.
    pub fn states(&self) -> Arc<ListenerStates> {
        Arc::clone(&self.states.borrow())
    }

    /// What is counted of connections where they are taken.
    pub async fn stats(&self) -> ListenerStats {
        let (tell, told) = oneshot::channel();
        let _ = self.questions.send(Question::Stats(tell));
        match timeout(ANSWER_TIMEOUT, told).await {
            Ok(Ok(stats)) => stats,
            _ => ListenerStats::default(),
        }
    }

    /// Resolves once no listener is open: the process is going away.
    pub async fn closed(&self) {
        let _ = self
            .states
            .clone()
            .wait_for(|states| states.is_empty())
            .await;
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        // Without a sender the thread ends, and with it the sockets on it.
        self.questions = mpsc::unbounded_channel().0;
        if self
            .handle
            .take()
            .is_some_and(|handle| handle.join().is_err())
        {
            tracing::error!("the thread of the listeners had ended by a panic");
        }
    }
}
