//! Checks on single values that more than one resource needs. Pure; each gives a sentence.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::document::{PerDocument, RequestLimitsDocument};
use super::limits;
use super::refusal::Refusal;
use crate::limiter::{Per, Rate, RequestLimits};
use crate::network::Network;
use crate::normal;

/// A name: it becomes a header value, a label or a span attribute, so it may hold no control characters.
pub(super) fn name(path: impl Into<String>, name: &str) -> Result<(), Refusal> {
    text(path, name, limits::NAME_BYTES)
}

/// As [`name`], with its own limit.
pub(super) fn text(path: impl Into<String>, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    let sentence = if text.is_empty() {
        "may not be empty".to_owned()
    } else if text.len() > bytes_max {
        format!("is {} bytes long, over {bytes_max}", text.len())
    } else if text.bytes().any(|byte| byte.is_ascii_control()) {
        "has a control character in it".to_owned()
    } else if text.starts_with(' ') || text.ends_with(' ') {
        "begins or ends with a space".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::at(path, sentence))
}

/// The name of a service that stands in a host: `<service>.mesh`.
pub(super) fn service(path: &str, name: &str) -> Result<(), Refusal> {
    text(path, name, limits::SERVICE_BYTES)?;
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    match name.chars().find(|&letter| !is_letter(letter)) {
        None => Ok(()),
        Some(other) => Err(Refusal::at(
            path,
            format!(
                "`{name}` has `{}` in it, which no service's name has",
                other.escape_default()
            ),
        )),
    }
}

/// A field that has to repeat the name of its resource.
pub(super) fn same_name(field: &str, value: &str, name: &str) -> Result<(), Refusal> {
    if value == name {
        return Ok(());
    }
    Err(Refusal::at(
        field,
        format!("is `{value}`, but the resource is named `{name}`"),
    ))
}

/// The number of entries of a list.
pub(super) fn count(
    path: impl Into<String>,
    count: usize,
    count_max: usize,
) -> Result<(), Refusal> {
    if count <= count_max {
        return Ok(());
    }
    Err(Refusal::at(
        path,
        format!("has {count} entries, over {count_max}"),
    ))
}

/// A number in its range.
pub(super) fn range(
    path: impl Into<String>,
    value: u64,
    min: u64,
    max: u64,
) -> Result<(), Refusal> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Refusal::at(
        path,
        format!("is {value}, not from {min} to {max}"),
    ))
}

/// A timeout that has to be there.
pub(super) fn timeout(path: &str, value_ms: u64) -> Result<Duration, Refusal> {
    range(path, value_ms, 1, limits::TIMEOUT_MS)?;
    Ok(Duration::from_millis(value_ms))
}

/// A timeout that 0 turns off.
pub(super) fn optional_timeout(path: &str, value_ms: u64) -> Result<Option<Duration>, Refusal> {
    range(path, value_ms, 0, limits::TIMEOUT_MS)?;
    Ok((value_ms > 0).then(|| Duration::from_millis(value_ms)))
}

/// Bytes of a body that 0 leaves unbounded.
pub(super) fn body_bytes(path: &str, bytes: u64) -> Result<Option<u64>, Refusal> {
    range(path, bytes, 0, limits::BODY_BYTES)?;
    Ok((bytes > 0).then_some(bytes))
}

/// How many requests a route or a service takes.
pub(super) fn request_limits(
    document: Option<&RequestLimitsDocument>,
) -> Result<Option<RequestLimits>, Refusal> {
    let Some(document) = document else {
        return Ok(None);
    };
    let count = |field: &str, value: Option<u64>| {
        let path = format!("limits.{field}");
        let counted =
            value.map(|value| range(path, value, 1, limits::REQUESTS).map(|()| value as u32));
        counted.transpose()
    };
    let per_second = count("requests_per_second", document.requests_per_second)?;
    let burst = count("burst", document.burst)?;
    let concurrent = count("concurrent", document.concurrent)?;
    if burst.is_some() && per_second.is_none() {
        let sentence = "is nothing without `requests_per_second`";
        return Err(Refusal::at("limits.burst", sentence));
    }
    if per_second.is_none() && concurrent.is_none() {
        let sentence = "needs one of `requests_per_second` and `concurrent`";
        return Err(Refusal::at("limits", sentence));
    }
    Ok(Some(RequestLimits {
        rate: per_second.map(|per_second| Rate {
            per_second,
            burst: burst.unwrap_or(per_second),
        }),
        concurrent,
        per: match document.per {
            Some(PerDocument::Caller) => Per::Caller,
            Some(PerDocument::Client) => Per::Client,
            Some(PerDocument::All) | None => Per::All,
        },
    }))
}

/// An address that is dialled.
pub(super) fn dialled(path: impl Into<String>, address: SocketAddr) -> Result<(), Refusal> {
    if address.port() == 0 {
        return Err(Refusal::at(path, format!("`{address}` has no port")));
    }
    if address.ip().is_unspecified() {
        return Err(Refusal::at(
            path,
            format!("`{address}` is no address one can connect to"),
        ));
    }
    Ok(())
}

/// Networks in CIDR form, or addresses.
pub(super) fn networks(path: &str, texts: &[String]) -> Result<Vec<Network>, Refusal> {
    count(path, texts.len(), limits::NETWORKS)?;
    let networks = texts.iter().enumerate().map(|(at, text)| {
        Network::parse(text).ok_or_else(|| {
            let sentence = format!("`{text}` is no network such as `10.0.0.0/8`");
            Refusal::at(format!("{path}[{at}]"), sentence)
        })
    });
    networks.collect()
}

/// A host as a request's is compared: lower case, no port, no trailing dot.
pub(super) fn host(path: &str, host: &str) -> Result<(), Refusal> {
    let sentence = if host.len() > limits::HOST_BYTES {
        format!("is {} bytes long, over {}", host.len(), limits::HOST_BYTES)
    } else if is_bracketed(host) {
        return Ok(());
    } else if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        format!("`{host}` is not in lower case")
    } else if host.ends_with('.') {
        format!("`{host}` ends in a dot")
    } else if host.contains(':') {
        format!("`{host}` has a port, or is an IPv6 address without brackets")
    } else if host.split('.').any(str::is_empty) {
        format!("`{host}` has an empty label")
    } else if let Some(other) = host.chars().find(|&letter| !is_host_letter(letter)) {
        format!(
            "`{host}` has `{}` in it, which no host has",
            other.escape_default()
        )
    } else {
        return Ok(());
    };
    Err(Refusal::at(path, sentence))
}

/// `[::1]`, in the one form Rust prints: no other would be found by comparison.
fn is_bracketed(host: &str) -> bool {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| {
        inner
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.to_string() == inner)
    })
}

fn is_host_letter(letter: char) -> bool {
    matches!(letter, 'a'..='z' | '0'..='9' | '-' | '_' | '.')
}

/// A path in its normal form: from `/`, visible ASCII, no query or fragment (docs/paths.md).
pub(super) fn path(at: &str, path: &str) -> Result<Box<str>, Refusal> {
    let sentence = if !path.starts_with('/') {
        format!("`{path}` does not begin with `/`")
    } else if path.len() > limits::PATH_BYTES {
        format!("is {} bytes long, over {}", path.len(), limits::PATH_BYTES)
    } else if let Some(other) = path.chars().find(|&letter| !is_path_letter(letter)) {
        format!(
            "has `{}` in it, which no path of a request has",
            other.escape_default()
        )
    } else {
        match normal::path(path, false) {
            Ok(normal) => return Ok(normal.into()),
            Err(unclear) => format!("never takes a request: {}", unclear.sentence()),
        }
    };
    Err(Refusal::at(at, sentence))
}

fn is_path_letter(letter: char) -> bool {
    letter.is_ascii_graphic() && letter != '?' && letter != '#'
}
