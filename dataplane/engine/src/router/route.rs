//! One route: what it takes, and what is done then. It may not choose between routes; the router does.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One route of the snapshot in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The route's name, as in metrics and spans.
    pub name: Arc<str>,
    /// The Consul key it came from.
    pub key: Arc<str>,
    /// The index of that key's last change; the lower one is the older route.
    pub index: u64,
    /// Which hosts it takes.
    pub host: HostMatch,
    /// Which paths it takes.
    pub path: PathMatch,
    /// Host and path as written, for span names: `shop.example/cart`.
    pub pattern: Box<str>,
    /// What is done with a request it takes.
    pub action: Action,
    /// How long a request may take in all; none: the settings decide.
    pub timeout: Option<Duration>,
    /// What is cut from the path before it is sent on.
    pub strip_prefix: Option<Box<str>>,
}

/// Which hosts a route takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostMatch {
    /// This one: lower case, no port, no trailing dot.
    Exact(Box<str>),
    /// Those with one or more labels before a dot and this suffix.
    Wildcard(Box<str>),
    /// Every one.
    Any,
}

/// Which paths a route takes. Compared byte by byte, nothing decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// By whole segments: `/cart` takes `/cart` and `/cart/1`, not `/cartoon`; `/cart/` takes `/cart/` and what is
    /// below it, not `/cart`; `/` takes all.
    Prefix(Box<str>),
    /// This path alone.
    Exact(Box<str>),
}

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is sent to one of these clusters, by weight. At least one weight is over 0.
    Split(Vec<WeightedCluster>),
    /// It is answered with a redirect.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to; see [`Route::redirect_location`].
        location: String,
    },
}

/// One part of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedCluster {
    /// The cluster's name, as in the snapshot.
    pub cluster: Arc<str>,
    /// Its share, against the sum of all; 0 gets nothing.
    pub weight: u32,
}

impl PathMatch {
    /// The path as written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Prefix(path) | Self::Exact(path) => path,
        }
    }
}

impl Route {
    /// The path and query to send on for one that this route took: `strip_prefix` is cut off.
    pub fn forwarded_path<'p>(&self, path_and_query: &'p str) -> Cow<'p, str> {
        let rest = self.strip_prefix.as_deref().and_then(|strip| {
            let rest = path_and_query.strip_prefix(strip)?;
            let ends_whole =
                strip.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?']);
            ends_whole.then_some(rest)
        });
        match rest {
            None => Cow::Borrowed(path_and_query),
            Some(rest) if rest.starts_with('/') => Cow::Borrowed(rest),
            Some(rest) => Cow::Owned(format!("/{rest}")),
        }
    }

    /// Where a request this route took is redirected to; `None` if it is not. A location that ends in `/` has the
    /// rest of the request's path, behind what the route names, and its query put behind it.
    pub fn redirect_location<'p>(&'p self, path_and_query: &str) -> Option<Cow<'p, str>> {
        let Action::Redirect { location, .. } = &self.action else {
            return None;
        };
        if !location.ends_with('/') {
            return Some(Cow::Borrowed(location));
        }
        let rest = path_and_query
            .strip_prefix(self.path.as_str())
            .unwrap_or("");
        // Slashes (and backslashes, which browsers take for them) would make another host of the location `/`.
        let rest = rest.trim_start_matches(['/', '\\']);
        Some(Cow::Owned(format!("{location}{rest}")))
    }
}
