//! The flags, read by a table: six of them do not need a library. It may not open what they name.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use meshnode_engine::control::PROTOCOL;
use meshnode_engine::threads::THREADS;
use tracing::level_filters::LevelFilter;

const HELP: &str = "\
meshnode-proxy: the data plane of a meshnode

Usage: meshnode-proxy --control PATH [--threads N] [--log LEVEL]
       meshnode-proxy --snapshot FILE [--identities FILE] [--control PATH] [...]

  --control PATH      Unix socket of the control API (docs/boundary.md), made with mode 0600
  --snapshot FILE     a full snapshot to begin with; with it the proxy runs without an agent
  --identities FILE   identities to begin with: a JSON array of what PUT /v1/identities/<name>
                      takes; it holds keys, so only its owner may be able to read it
  --threads N         threads that serve (default: one for each core)
  --log LEVEL         off, error, warning, info, debug (default: info), to standard error
  --version           version and protocol number
  --help              this text

SIGTERM ends it softly: nothing new is taken, what runs has 30 seconds. SIGINT ends it at once.";

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Parsed {
    /// Run so.
    Run(Flags),
    /// Only print this.
    Tell(String),
}

/// How to run.
#[derive(Debug, PartialEq)]
pub struct Flags {
    /// Where to make the control socket.
    pub control: Option<PathBuf>,
    /// The snapshot to begin with.
    pub snapshot: Option<PathBuf>,
    /// The identities to begin with.
    pub identities: Option<PathBuf>,
    /// Threads that serve; `None`: one for each core.
    pub threads: Option<NonZeroUsize>,
    /// What is logged.
    pub log: LevelFilter,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            control: None,
            snapshot: None,
            identities: None,
            threads: None,
            log: LevelFilter::INFO,
        }
    }
}

impl Flags {
    /// Reads the arguments behind the program's name. The error is a sentence.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, String> {
        let mut flags = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy().into_owned();
            let (name, inline) = match text.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(OsString::from(value))),
                None => (text, None),
            };
            let mut value = || {
                let value = inline.clone().or_else(|| arguments.next());
                value.ok_or_else(|| format!("{name} needs a value"))
            };
            match name.as_str() {
                "--control" => flags.control = Some(value()?.into()),
                "--snapshot" => flags.snapshot = Some(value()?.into()),
                "--identities" => flags.identities = Some(value()?.into()),
                "--threads" => flags.threads = Some(threads(&value()?)?),
                "--log" => flags.log = level(&value()?)?,
                "--version" => return Ok(Parsed::Tell(version())),
                "--help" | "-h" => return Ok(Parsed::Tell(HELP.to_owned())),
                _ => return Err(format!("there is no flag {name}")),
            }
        }
        if flags.control.is_none() && flags.snapshot.is_none() {
            return Err("it needs --control PATH, --snapshot FILE, or both".to_owned());
        }
        Ok(Parsed::Run(flags))
    }
}

fn version() -> String {
    format!(
        "meshnode-proxy {} (protocol {PROTOCOL})",
        env!("CARGO_PKG_VERSION")
    )
}

fn threads(value: &OsString) -> Result<NonZeroUsize, String> {
    let count = value
        .to_str()
        .and_then(|text| text.parse::<NonZeroUsize>().ok());
    count.filter(|count| count.get() <= THREADS).ok_or_else(|| {
        format!(
            "--threads takes a number from 1 to {THREADS}, not {}",
            value.display()
        )
    })
}

fn level(value: &OsString) -> Result<LevelFilter, String> {
    match value.to_str() {
        Some("off") => Ok(LevelFilter::OFF),
        Some("error") => Ok(LevelFilter::ERROR),
        Some("warning") => Ok(LevelFilter::WARN),
        Some("info") => Ok(LevelFilter::INFO),
        Some("debug") => Ok(LevelFilter::DEBUG),
        _ => {
            let given = value.display();
            Err(format!(
                "--log takes off, error, warning, info or debug, not {given}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Parsed, String> {
        Flags::parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Flags {
        match parse(line).unwrap() {
            Parsed::Run(flags) => flags,
            Parsed::Tell(text) => panic!("{text}"),
        }
    }

    #[test]
    fn every_flag_is_read_in_both_forms() {
        let all = "--control c.sock --snapshot s.json --identities i.json --threads 3 --log debug";
        let wanted = Flags {
            control: Some("c.sock".into()),
            snapshot: Some("s.json".into()),
            identities: Some("i.json".into()),
            threads: NonZeroUsize::new(3),
            log: LevelFilter::DEBUG,
        };
        assert_eq!(run(all), wanted);
        let inline: String = all
            .replace(" --", "\n--")
            .replace(' ', "=")
            .replace('\n', " ");
        assert_eq!(run(&inline), wanted);
        assert_eq!(run("--control=a=b").control, Some("a=b".into()));
    }

    #[test]
    fn what_is_wrong_is_told_in_a_sentence() {
        let cases = [
            ("", "needs --control PATH"),
            ("--identities x", "needs --control PATH"),
            ("--control", "--control needs a value"),
            ("--control x --threads 0", "not 0"),
            ("--control x --threads many", "not many"),
            ("--control x --threads 1025", "1 to 1024"),
            ("--control x --log loud", "not loud"),
            ("--control x --log warn", "warning"),
            ("--verbose", "no flag --verbose"),
            ("run", "no flag run"),
        ];
        for (line, wanted) in cases {
            let sentence = parse(line).unwrap_err();
            assert!(sentence.contains(wanted), "{line}: {sentence}");
        }
    }

    #[test]
    fn version_and_help_are_only_told() {
        let told = |line| match parse(line) {
            Ok(Parsed::Tell(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(told("--version").contains("(protocol 3)"));
        assert!(told("--control x --help").contains("--identities FILE"));
    }
}
