//! The threads that serve: one runtime each, which share nothing but [`Shared`]. May not know which listeners there are.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::listener::{Admission, Door, accept_all};
use crate::serve;
use crate::shared::Shared;
use crate::snapshot::ListenerConfig;
use crate::stats::Recorder;
use crate::worker::Worker;

/// How long a thread may take to tell its counters; one that does not is left out of that answer.
const STATS_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a thread does what is due now and then: spans are seen that late at most.
const TICK: Duration = Duration::from_millis(100);
/// More threads than any machine has cores; each costs memory for its pools.
pub const THREADS: usize = 1024;

/// What a thread is asked to do. The queue has no bound of its own: connections are bounded by
/// `limits.connections`, the rest by the number of listeners and of questions that wait.
enum Command {
    /// Take connections from this socket.
    Listen(Door),
    /// Serve this connection, which another thread took.
    Serve {
        tcp: TcpStream,
        peer: SocketAddr,
        listener: Arc<ListenerConfig>,
        admission: Admission,
    },
    /// Tell what was counted.
    Stats(oneshot::Sender<Recorder>),
    /// End what idles, and the rest as it comes.
    Drain,
}

struct Thread {
    commands: mpsc::UnboundedSender<Command>,
    /// Connections it serves.
    load: Arc<AtomicUsize>,
}

/// The threads that serve. They end when this is dropped.
pub struct Threads {
    threads: Vec<Thread>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts `count` threads, at least one.
    pub fn start(count: usize, shared: &Arc<Shared>) -> io::Result<Self> {
        let mut started = Self {
            threads: Vec::new(),
            handles: Vec::new(),
        };
        for id in 0..count.clamp(1, THREADS) {
            let (commands, inbox) = mpsc::unbounded_channel();
            let load = Arc::new(AtomicUsize::new(0));
            let (shared, own_load) = (Arc::clone(shared), Arc::clone(&load));
            let (tell, told) = sync_channel(1);
            let handle = std::thread::Builder::new()
                .name(format!("worker-{id}"))
                .spawn(move || {
                    // Here, since it stays on its thread: so its tasks may share the worker without a lock.
                    let built = Builder::new_current_thread()
                        .enable_all()
                        .build_local(LocalOptions::default());
                    match built {
                        Err(error) => drop(tell.send(Err(error))),
                        Ok(runtime) => {
                            drop(tell.send(Ok(())));
                            runtime.block_on(work(Worker::new(id, shared), own_load, inbox));
                        }
                    }
                })?;
            started.threads.push(Thread { commands, load });
            started.handles.push(handle);
            told.recv().map_err(io::Error::other)??;
        }
        Ok(started)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// How many connections each serves that were handed to it or taken by it.
    pub fn loads(&self) -> Vec<usize> {
        self.threads
            .iter()
            .map(|thread| thread.load.load(Ordering::Relaxed))
            .collect()
    }

    /// Spreads the sockets of a listener over the threads, one each.
    pub(crate) fn listen(&self, doors: impl IntoIterator<Item = Door>) {
        for (thread, door) in self.threads.iter().zip(doors) {
            thread.send(Command::Listen(door));
        }
    }

    /// Hands a connection to the thread that has the fewest.
    pub(crate) fn serve(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        listener: Arc<ListenerConfig>,
        admission: Admission,
    ) {
        let least = self
            .threads
            .iter()
            .min_by_key(|thread| thread.load.load(Ordering::Relaxed));
        if let Some(thread) = least {
            let admission = admission.on_thread(&thread.load);
            thread.send(Command::Serve {
                tcp,
                peer,
                listener,
                admission,
            });
        }
    }

    /// What all threads counted together.
    pub async fn stats(&self) -> Recorder {
        let asked: Vec<_> = self
            .threads
            .iter()
            .map(|thread| {
                let (tell, told) = oneshot::channel();
                thread.send(Command::Stats(tell));
                told
            })
            .collect();
        let mut sum = Recorder::new();
        for (id, told) in asked.into_iter().enumerate() {
            if let Ok(Ok(recorder)) = timeout(STATS_TIMEOUT, told).await {
                sum.merge(&recorder);
            } else {
                tracing::warn!(thread = id, "a thread did not tell its counters");
            }
        }
        sum
    }

    /// Ends idle connections now, and each other one with its next answer.
    pub fn drain(&self) {
        for thread in &self.threads {
            thread.send(Command::Drain);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Without a sender each thread's loop ends, and with it what it still serves.
        self.threads.clear();
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!("a worker thread had ended by a panic");
            }
        }
    }
}

impl Thread {
    /// A thread that is gone takes no commands; what was in them is dropped, and so closed.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

async fn work(
    worker: Rc<Worker>,
    load: Arc<AtomicUsize>,
    mut inbox: mpsc::UnboundedReceiver<Command>,
) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(command) => obey(&worker, &load, command),
                None => return,
            },
            due = tick.tick() => {
                worker.note_late(due.elapsed());
                worker.tick();
            }
        }
    }
}

fn obey(worker: &Rc<Worker>, load: &Arc<AtomicUsize>, command: Command) {
    match command {
        Command::Listen(door) => {
            let (worker, load) = (Rc::clone(worker), Arc::clone(load));
            tokio::task::spawn_local(async move {
                let is_late = || worker.is_late();
                accept_all(
                    door,
                    &worker.stats,
                    is_late,
                    |tcp, peer, listener, admission| {
                        serve::spawn(&worker, tcp, listener, peer, admission.on_thread(&load));
                    },
                )
                .await;
            });
        }
        Command::Serve {
            tcp,
            peer,
            listener,
            admission,
        } => {
            // Only a runtime without room for another socket refuses; the connection is closed then.
            if let Ok(tcp) = tokio::net::TcpStream::from_std(tcp) {
                serve::spawn(worker, tcp, listener, peer, admission);
            }
        }
        Command::Stats(tell) => {
            let _ = tell.send(worker.take_stats());
        }
        Command::Drain => worker.drain(),
    }
}
