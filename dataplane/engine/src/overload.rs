//! Whether there is too much of something: of work for a thread, of memory, of open files. It may not refuse anything: who
//! takes connections and requests asks.
//!
//! Of memory and files there is a *most*; new connections are taken no more from nine tenths of it on, new requests from
//! nineteen twentieths. Of a thread's work the measure is its lag: how late it comes to what is due, by the least of the
//! last three looks, as one late look may be the machine's doing.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::error::{Error, Reason};
use crate::snapshot::Limits;

/// Files of the process's own, beside two for each connection: listeners, pools, the control socket.
const OWN_HANDLES: u64 = 500;
/// Looks at a thread's lag of which the least counts.
const LOOKS: usize = 3;
/// When to ask again: a thread that has too much has less of it in a second, or not for long.
const SOON: Duration = Duration::from_secs(1);

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// As many connections are open as may be.
    Connections,
    /// One client has as many of them as it may.
    Client,
    /// A thread has more to do than it comes to.
    Cpu,
    /// Memory.
    Memory,
    /// Open files.
    Handles,
}

impl Cause {
    /// Its name in counters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Client => "client",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Handles => "handles",
        }
    }

    /// The error of a request that is not taken for it.
    pub fn refusal(self) -> Error {
        let detail = match self {
            Self::Connections => "as many connections are open here as may be",
            Self::Client => "this client has as many connections here as it may",
            Self::Cpu => "this node has more to do than its processors can",
            Self::Memory => "this node's proxy is about to run out of memory",
            Self::Handles => "this node's proxy is about to run out of file handles",
        };
        Error::us(Reason::Overloaded, detail).retry_after(SOON)
    }
}

/// The error of what needed a file more, where the system says that there is none: of this process, or of the machine.
pub fn out_of_handles(error: &io::Error, wanted: &str) -> Option<Error> {
    let is_out = [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    let detail = || format!("this node's proxy has no file handle left for {wanted}: {error}");
    is_out.then(|| Error::us(Reason::Overloaded, detail()).retry_after(SOON))
}

/// What is not taken, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Why no new connection is, if so.
    pub connections: Option<Cause>,
    /// Why no new request is, if so.
    pub requests: Option<Cause>,
}

impl Pressure {
    /// Of `used`, of which there may be `most`; 0: nobody knows.
    fn of(cause: Cause, used: u64, most: u64) -> Self {
        let reaches =
            |twentieths: u128| most > 0 && u128::from(used) * 20 >= u128::from(most) * twentieths;
        Self {
            connections: reaches(18).then_some(cause),
            requests: reaches(19).then_some(cause),
        }
    }

    /// Of a thread that is so late.
    fn of_lag(lag: Duration, most: Duration) -> Self {
        Self {
            connections: (lag >= most).then_some(Cause::Cpu),
            requests: (lag >= most.saturating_mul(2)).then_some(Cause::Cpu),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            connections: self.connections.or(other.connections),
            requests: self.requests.or(other.requests),
        }
    }
}

/// How late a thread was, the last few times.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lag {
    last: [Duration; LOOKS],
    next: usize,
}

impl Lag {
    /// The same with one more look.
    #[must_use]
    pub fn with(mut self, late: Duration) -> Self {
        self.last[self.next % LOOKS] = late;
        self.next = (self.next + 1) % LOOKS;
        self
    }

    /// The least of them.
    pub fn least(&self) -> Duration {
        self.last.into_iter().min().unwrap_or_default()
    }
}

/// What the process uses, and may.
#[derive(Debug)]
pub struct Overload {
    handles: AtomicU64,
    handles_most: AtomicU64,
    memory_bytes: AtomicU64,
    memory_most_bytes: AtomicU64,
    /// What the machine's administrator gives the process and its kin; 0: all there is.
    cgroup_bytes: u64,
}

/// The same, as it is told.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct OverloadState {
    /// Connections that may be open: the limit in force, or what the open files allow.
    pub connections_most: u64,
    /// Files that are open; 0: the system does not say (Linux before 6.2).
    pub handles: u64,
    /// Files that may be; 0: any number.
    pub handles_most: u64,
    /// Resident memory.
    pub memory_bytes: u64,
    /// How much it may be; 0: nobody says.
    pub memory_most_bytes: u64,
}

impl Default for Overload {
    fn default() -> Self {
        let made = Self {
            handles: AtomicU64::new(0),
            handles_most: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(0),
            memory_most_bytes: AtomicU64::new(0),
            cgroup_bytes: cgroup_bytes().unwrap_or(0),
        };
        made.measure(&Limits::default());
        made
    }
}

impl Overload {
    /// Looks at what the process uses: three small questions to the system.
    pub fn measure(&self, limits: &Limits) {
        let most = match limits.overload_memory_bytes {
            0 => self.cgroup_bytes,
            bytes => bytes,
        };
        let set = |counter: &AtomicU64, value: Option<u64>| {
            counter.store(value.unwrap_or(0), Ordering::Relaxed);
        };
        set(&self.handles, open_handles());
        set(&self.handles_most, getrlimit(Resource::Nofile).current);
        set(&self.memory_bytes, resident_bytes());
        set(&self.memory_most_bytes, Some(most));
    }

    /// What is not taken for what was measured, on whichever thread.
    pub fn pressure(&self) -> Pressure {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let memory = Pressure::of(
            Cause::Memory,
            get(&self.memory_bytes),
            get(&self.memory_most_bytes),
        );
        let handles = Pressure::of(Cause::Handles, get(&self.handles), get(&self.handles_most));
        memory.or(handles)
    }

    /// The same with what a thread's lag says.
    pub fn pressure_of(&self, lag: &Lag, limits: &Limits) -> Pressure {
        let of_lag = Pressure::of_lag(lag.least(), limits.overload_lag);
        self.pressure().or(of_lag)
    }

    /// Why no connection is to be taken, looked at anew: what was measured may be over.
    pub fn connections_now(&self, limits: &Limits) -> Option<Cause> {
        self.measure(limits);
        self.pressure().connections
    }

    /// How many connections may be open: each takes two files, one of them towards where it goes.
    pub fn connections_most(&self, limits: &Limits) -> usize {
        let handles = self.handles_most.load(Ordering::Relaxed);
        if handles == 0 {
            return limits.connections;
        }
        limits.connections.min(connections_by(handles) as usize)
    }

    /// How many of them one client may have: half, where the limits do not say.
    pub fn connections_most_of_client(&self, limits: &Limits) -> usize {
        match limits.connections_per_client {
            0 => self.connections_most(limits).div_ceil(2),
            most => most,
        }
    }

    /// All of it, to be told.
    pub fn state(&self, limits: &Limits) -> OverloadState {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OverloadState {
            connections_most: self.connections_most(limits) as u64,
            handles: get(&self.handles),
            handles_most: get(&self.handles_most),
            memory_bytes: get(&self.memory_bytes),
            memory_most_bytes: get(&self.memory_most_bytes),
        }
    }
}

/// Connections for so many files: where they are few, a quarter is the process's own.
fn connections_by(handles: u64) -> u64 {
    let own = OWN_HANDLES.min(handles / 4);
    ((handles - own) / 2).max(1)
}

/// The size of that folder is how many there are, without a look at each (Linux 6.2).
fn open_handles() -> Option<u64> {
    fs::metadata("/proc/self/fd")
        .ok()
        .map(|folder| folder.len())
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// The least that the process's control group, or one above it, may have.
fn cgroup_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        match controllers {
            "" => Some(least_of("/sys/fs/cgroup", path, "memory.max")),
            "memory" => {
                let root = "/sys/fs/cgroup/memory";
                Some(least_of(root, path, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    });
    limits.flatten().min()
}

fn least_of(root: &str, path: &str, name: &str) -> Option<u64> {
    let folder = Path::new(root).join(path.trim_start_matches('/'));
    let folders = folder
        .ancestors()
        .take_while(|folder| folder.starts_with(root));
    let said = folders.filter_map(|folder| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    });
    // The first version says "no limit" by a number that no machine has.
    said.filter(|bytes| *bytes < 1 << 60).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_first_and_requests_next() {
        let of = |used| Pressure::of(Cause::Handles, used, 1000);
        let stages = [899, 900, 949, 950].map(|used| {
            let pressure = of(used);
            (pressure.connections.is_some(), pressure.requests.is_some())
        });
        assert_eq!(
            stages,
            [(false, false), (true, false), (true, false), (true, true)]
        );
        assert_eq!(Pressure::of(Cause::Memory, 1 << 40, 0), Pressure::default());
    }

    #[test]
    fn a_thread_that_was_late_once_is_not_overloaded() {
        let (late, most) = (Duration::from_secs(9), Duration::from_millis(500));
        let mut lag = Lag::default();
        for _ in 0..LOOKS - 1 {
            lag = lag.with(late);
            assert_eq!(Pressure::of_lag(lag.least(), most), Pressure::default());
        }
        lag = lag.with(most);
        let pressure = Pressure::of_lag(lag.least(), most);
        assert_eq!(
            (pressure.connections, pressure.requests),
            (Some(Cause::Cpu), None)
        );
        lag = lag.with(late).with(late).with(late);
        let pressure = Pressure::of_lag(lag.least(), most);
        assert_eq!(pressure.requests, Some(Cause::Cpu));
        lag = lag.with(Duration::ZERO);
        assert_eq!(Pressure::of_lag(lag.least(), most), Pressure::default());
    }

    #[test]
    fn connections_are_as_many_as_files_allow() {
        assert_eq!(
            [1, 128, 1024, 4096, 100_500].map(connections_by),
            [1, 48, 384, 1798, 50_000]
        );
    }

    #[test]
    fn the_system_says_what_is_used() {
        let overload = Overload::default();
        let state = overload.state(&Limits::default());
        assert!(state.memory_bytes > 1 << 20, "{state:?}");
        assert!(
            state.handles_most > 0 && state.connections_most > 0,
            "{state:?}"
        );
    }
}
