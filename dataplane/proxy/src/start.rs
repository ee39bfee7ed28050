//! From flags to a running engine, and to its end by a signal or by drain. It may not end because the agent goes.

use std::convert::Infallible;
use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::control::Control;
use meshnode_engine::engine::Engine;
use meshnode_engine::identity::IdentityDocument;
use meshnode_engine::listener::Phase;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::level_filters::LevelFilter;

use crate::flags::Flags;

/// What connections that run may take after SIGTERM: longer than most requests, shorter than what supervisors wait.
const GRACE: Duration = Duration::from_secs(30);
/// How long the agent may take to fetch the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// 128 and the number of SIGINT, as shells show it.
const EXIT_INTERRUPTED: i32 = 130;

/// Runs until a signal or a drain ends the process. The error is a sentence: it could not begin.
pub fn run(flags: &Flags) -> Result<Infallible, String> {
    start_log(flags.log);
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("can't start: {error}"))?;
    runtime.block_on(async {
        // Before anything else, so that no signal finds its default still in place.
        let signals = Signals::new().map_err(|error| format!("can't watch signals: {error}"))?;
        let (engine, control) = start(flags).await?;
        let code = wait(signals, &engine, control).await;
        // Without taking leave of the threads: one that hangs would keep the process.
        std::process::exit(code)
    })
}

async fn start(flags: &Flags) -> Result<(Arc<Engine>, Option<Control>), String> {
    let threads = flags.threads.map_or_else(cores, std::num::NonZero::get);
    let engine = Engine::start(threads).map_err(|error| format!("can't start: {error}"))?;
    let engine = Arc::new(engine);
    // Identities first, so that no listener is opened before there is one to show.
    if let Some(path) = &flags.identities {
        put_identities(&engine, path)?;
    }
    if let Some(path) = &flags.snapshot {
        put_snapshot(&engine, path).await?;
    }
    let control = flags
        .control
        .as_deref()
        .map(|path| Control::start(&engine, path))
        .transpose()?;
    Ok((engine, control))
}

async fn wait(mut signals: Signals, engine: &Engine, control: Option<Control>) -> i32 {
    let drained = engine.drained();
    tokio::pin!(drained);
    loop {
        tokio::select! {
            () = &mut drained => break,
            _ = signals.terminate.recv() => engine.drain(GRACE),
            _ = signals.interrupt.recv() => return EXIT_INTERRUPTED,
            // Whoever started us is gone or has closed its terminal; the traffic goes on.
            _ = signals.hangup.recv() => {}
        }
    }
    if control.is_some() {
        engine.spans_fetched(LAST_SPANS).await;
    }
    0
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// SIGPIPE is not among them: Rust's runtime ignores it already.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

fn put_identities(engine: &Engine, path: &Path) -> Result<(), String> {
    let refuse = |why: &str| format!("the identities in {} are refused: {why}", path.display());
    let mode = fs::metadata(path)
        .map_err(|error| refuse(&error.to_string()))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        let mode = mode & 0o777;
        return Err(refuse(&format!(
            "others may read the keys (mode {mode:o}); chmod 600 it"
        )));
    }
    let bytes = fs::read(path).map_err(|error| refuse(&error.to_string()))?;
    // Only the place is told: the library's words quote what stands there, which may be a key.
    let documents: Vec<IdentityDocument> = serde_json::from_slice(&bytes).map_err(|error| {
        refuse(&format!(
            "can't be read at line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    for document in &documents {
        engine
            .put_identity(document)
            .map_err(|why| refuse(&format!("{:?}: {why}", document.name)))?;
    }
    Ok(())
}

async fn put_snapshot(engine: &Engine, path: &Path) -> Result<(), String> {
    let refuse = |why: &dyn std::fmt::Display| {
        format!("the snapshot in {} is refused: {why}", path.display())
    };
    let document = fs::read(path).map_err(|error| refuse(&error))?;
    engine
        .apply(&document)
        .map_err(|refusal| refuse(&refusal))?;
    let mut errors = std::io::stderr();
    for (name, listener) in engine.reconcile().await.iter() {
        let line = match (listener.state, listener.error.as_deref()) {
            (Phase::Open, _) => format!("listening on {} ({name})", listener.address),
            (_, why) => format!("not open: {name}: {}", why.unwrap_or_default()),
        };
        // For whoever looks; nobody has to.
        let _ = writeln!(errors, "{line}");
    }
    Ok(())
}

fn start_log(level: LevelFilter) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // When nobody reads our standard error any more, a line is lost; to complain there would be a panic.
        .log_internal_errors(false)
        .init();
}

/// A connection takes two file handles, and shells give 1,024: as many as the administrator allows are asked for.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, limit = limit.current, "the limit of open files can't be raised");
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
