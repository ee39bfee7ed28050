//! One route: what it takes, and what is done then. It may not choose between routes; the router does.

use std::sync::Arc;
use std::time::Duration;

use super::asked::Asked;
use super::change::Changes;
use super::condition::{Conditions, Missed};
use super::pattern::Pattern;
use super::retry::RetryPolicy;
use crate::limiter::Limiter;

/// One route of the snapshot in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The route's name, as in metrics and spans.
    pub name: Arc<str>,
    /// The Consul key it came from.
    pub key: Arc<str>,
    /// The index of that key's last change; the lower one is the older route.
    pub index: u64,
    /// Above all else: the higher is asked first.
    pub priority: i8,
    /// The raw connections it takes; none: it takes requests.
    pub raw: Option<RawMatch>,
    /// Which hosts it takes; at least one, and none where it takes raw connections.
    pub hosts: Vec<HostMatch>,
    /// Which paths it takes.
    pub path: PathMatch,
    /// What else it asks of a request, if anything.
    pub conditions: Option<Box<Conditions>>,
    /// First host and path as written, for span names: `shop.example/cart`.
    pub pattern: Box<str>,
    /// What is done with a request it takes.
    pub action: Action,
    /// How long a request may take in all; none: the settings decide.
    pub timeout: Option<Duration>,
    /// How long the answer's head may take, from the first try on.
    pub head_timeout: Option<Duration>,
    /// How long nothing may move; none: the settings decide.
    pub idle_timeout: Option<Duration>,
    /// Bytes of a request's body; none: the settings decide.
    pub body_bytes: Option<u64>,
    /// How many requests it takes, if that is bounded.
    pub limiter: Option<Arc<Limiter>>,
    /// What is changed in requests and answers, if anything.
    pub changes: Option<Box<Changes>>,
    /// When a request is sent again; none: only where that cannot do a thing twice.
    pub retries: Option<Box<RetryPolicy>>,
    /// What holds of https for it, if anything.
    pub https: Option<Box<Https>>,
}

/// How a route's clients are brought to TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// Whether a request in clear is sent to https.
    pub is_redirected: bool,
    /// The value of `Strict-Transport-Security` in answers over TLS (RFC 6797), if it is said.
    pub hsts: Option<Box<str>>,
}

/// The first thing about a request that keeps a route from taking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit<'r> {
    /// Its host is none of the route's.
    Host,
    /// So is its path.
    Path,
    /// A condition does not hold.
    Condition(Missed<'r>),
}

impl Route {
    /// By which of its server names it takes a raw connection for this one: the nearest.
    pub fn server_name(&self, name: &str) -> Option<&HostMatch> {
        let Some(RawMatch::Names(names)) = &self.raw else {
            return None;
        };
        let takers = names.iter().filter(|one| one.takes(name));
        takers.max_by_key(|one| one.nearness())
    }

    /// Why it does not take a request; none: it does, unless another goes before it.
    pub fn missed(&self, asked: &Asked<'_>) -> Option<Unfit<'_>> {
        if !self.hosts.iter().any(|host| host.takes(asked.host)) {
            return Some(Unfit::Host);
        }
        if !self.path.takes(asked.path) {
            return Some(Unfit::Path);
        }
        let missed = self
            .conditions
            .as_deref()
            .and_then(|conditions| conditions.missed(asked));
        missed.map(Unfit::Condition)
    }
}

/// Which hosts a route takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostMatch {
    /// This one: lower case, no port, no trailing dot.
    Exact(Box<str>),
    /// Those with one or more labels before a dot and this suffix.
    Wildcard(Box<str>),
    /// Every one, but those under `.mesh`.
    Any,
}

/// Which raw connections a route takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawMatch {
    /// Those that come in by this port.
    Port(u16),
    /// Those that begin with TLS for one of these server names; at least one, never [`HostMatch::Any`].
    Names(Vec<HostMatch>),
}

/// Which paths a route takes, in their normal form. Compared byte by byte, nothing decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// By whole segments: `/cart` takes `/cart` and `/cart/1`, not `/cartoon`; `/cart/` takes `/cart/` and what is
    /// below it, not `/cart`; `/` takes all.
    Prefix(Box<str>),
    /// This path alone.
    Exact(Box<str>),
    /// Those the pattern takes whole: a glob or a regex.
    Pattern(Pattern),
}

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is sent to one of these clusters, by weight. At least one weight is over 0.
    Split(Vec<WeightedCluster>),
    /// It is answered with a redirect.
    Redirect(Redirect),
    /// It gets this answer.
    Answer(FixedAnswer),
}

/// One part of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedCluster {
    /// The cluster's name, as in the snapshot.
    pub cluster: Arc<str>,
    /// Its share, against the sum of all; 0 gets nothing.
    pub weight: u32,
}

/// Where clients are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// Where to; `{host}` in it is the host asked for.
    pub location: Box<str>,
    /// What of the request's path is put behind it.
    pub path: RedirectPath,
    /// Whether the query goes along.
    pub keeps_query: bool,
}

/// What of a request's path is put behind a redirect's location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectPath {
    /// What is behind the route's own path.
    Rest,
    /// All of it.
    Whole,
    /// Nothing.
    None,
}

/// An answer that stands in the route itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedAnswer {
    /// 200 to 599.
    pub status: u16,
    /// What it says.
    pub body: Box<str>,
    /// What that is.
    pub content_type: Box<str>,
}

impl HostMatch {
    /// How near it is to what it takes: the exact name before the longer wildcard.
    pub fn nearness(&self) -> usize {
        match self {
            Self::Exact(_) => usize::MAX,
            Self::Wildcard(suffix) => suffix.len(),
            Self::Any => 0,
        }
    }

    /// Whether it takes `host`, in its normal form.
    pub fn takes(&self, host: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *host,
            Self::Wildcard(suffix) => host
                .strip_suffix(&**suffix)
                .is_some_and(|labels| labels.len() > 1 && labels.ends_with('.')),
            Self::Any => !is_mesh_host(host),
        }
    }

    /// The greater is asked first.
    pub fn rank(&self) -> (u8, usize) {
        match self {
            Self::Exact(_) => (2, 0),
            Self::Wildcard(suffix) => (1, suffix.len()),
            Self::Any => (0, 0),
        }
    }
}

/// Whether a host is under `.mesh`, where services call each other.
pub fn is_mesh_host(host: &str) -> bool {
    host.strip_suffix(".mesh").is_some()
}

impl PathMatch {
    /// The path as written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Prefix(path) | Self::Exact(path) => path,
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }

    /// Whether it takes `path`, in its normal form.
    pub fn takes(&self, path: &str) -> bool {
        let path = if path.is_empty() { "/" } else { path };
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) if **prefix == *"/" => true,
            Self::Prefix(prefix) => path.strip_prefix(&**prefix).is_some_and(|rest| {
                prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
            }),
            Self::Pattern(pattern) => path.starts_with('/') && pattern.takes(path.as_bytes()),
        }
    }
}

impl Redirect {
    /// The location for a request that the route with this path took.
    pub fn location(
        &self,
        route: &PathMatch,
        host: &str,
        path: &str,
        query: Option<&str>,
    ) -> String {
        let mut location = self.location.replace("{host}", host);
        match self.path {
            RedirectPath::None => {}
            RedirectPath::Rest => {
                let rest = match route {
                    PathMatch::Prefix(own) | PathMatch::Exact(own) => path.strip_prefix(&**own),
                    PathMatch::Pattern(_) => None,
                };
                push_path(&mut location, rest.unwrap_or_default());
            }
            RedirectPath::Whole => push_path(&mut location, path),
        }
        if let Some(query) = query.filter(|_| self.keeps_query) {
            location.push(if location.contains('?') { '&' } else { '?' });
            location.push_str(query);
        }
        location
    }
}

/// Puts a path behind a location, one slash between: two at its beginning would make another host of what follows.
fn push_path(location: &mut String, path: &str) {
    let path = path.trim_start_matches(['/', '\\']);
    let is_ended = location.ends_with('/');
    if !is_ended && !path.is_empty() {
        location.push('/');
    }
    if path != "*" {
        location.push_str(path);
    }
}

#[cfg(test)]
impl Route {
    /// A route that sends nowhere; a path with `=`, `~` or `*` before it is exact, a regex, a glob.
    pub(crate) fn of(name: &str, index: u64, host: &str, path: &str) -> Self {
        let host_match = match host.strip_prefix("*.") {
            Some(suffix) => HostMatch::Wildcard(suffix.into()),
            None if host == "*" => HostMatch::Any,
            None => HostMatch::Exact(host.into()),
        };
        let path_match = match path.split_at(1) {
            ("=", path) => PathMatch::Exact(path.into()),
            ("~", regex) => PathMatch::Pattern(Pattern::regex(regex).unwrap()),
            ("*", glob) => PathMatch::Pattern(Pattern::glob(glob).unwrap()),
            _ => PathMatch::Prefix(path.into()),
        };
        Self {
            name: name.into(),
            key: format!("mesh/routes/{name}").into(),
            index,
            priority: 0,
            raw: None,
            hosts: vec![host_match],
            path: path_match,
            conditions: None,
            pattern: format!("{host}{path}").into(),
            action: Action::Split(Vec::new()),
            timeout: None,
            head_timeout: None,
            idle_timeout: None,
            changes: None,
            body_bytes: None,
            limiter: None,
            retries: None,
            https: None,
        }
    }
}
