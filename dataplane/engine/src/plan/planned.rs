//! What is done with a request: its route, its service, the target. It may not choose.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Error, Reason};
use crate::normal;
use crate::router::{Action, Asked, Changes, Route};
use crate::snapshot::{Cluster, LocalService, Protocol};

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The route that took it, at the edge.
    pub route: Option<Arc<Route>>,
    /// The service it goes to; empty where none was found.
    pub destination: Arc<str>,
    /// What is done with it.
    pub target: Target,
    /// The intention that let it through on this node, where one was asked.
    pub intention: Option<Arc<str>>,
}

impl Plan {
    /// A plan that needs no route and no service.
    pub fn of(target: Target) -> Self {
        Self {
            route: None,
            destination: Arc::default(),
            target,
            intention: None,
        }
    }

    /// A plan that comes to nothing.
    pub fn refused(error: Error) -> Self {
        Self::of(Target::Refused(error))
    }

    /// Whether the request goes to an endpoint.
    pub const fn is_forwarded(&self) -> bool {
        matches!(self.target, Target::Cluster(_) | Target::Local(..))
    }

    /// Whether it goes to an instance of this node that speaks what its callers do.
    pub fn is_detected_here(&self) -> bool {
        matches!(&self.target, Target::Local(service, _) if service.protocol == Protocol::Auto)
    }

    /// What the route changes, if anything.
    pub fn changes(&self) -> Option<&Changes> {
        self.route.as_deref()?.changes.as_deref()
    }

    /// Where the client is sent, if its route sends it elsewhere.
    pub fn location(&self, asked: &Asked<'_>, https_port: Option<u16>) -> Option<String> {
        if matches!(self.target, Target::ToHttps(_)) {
            return Some(https_location(asked, https_port));
        }
        let route = self.route.as_deref()?;
        let Action::Redirect(redirect) = &route.action else {
            return None;
        };
        Some(redirect.location(&route.path, asked.host, asked.path, asked.query))
    }

    /// The path to send on for `path`, if the request goes to an endpoint. What a rewrite made and is no path in its
    /// normal form goes nowhere: no one downstream may see another path than was decided on.
    pub fn forwarded_path<'p>(&mut self, path: &'p str) -> Option<Cow<'p, str>> {
        if !self.is_forwarded() {
            return None;
        }
        let Some(change) = self.changes().and_then(|changes| changes.path.as_ref()) else {
            return Some(Cow::Borrowed(path));
        };
        let changed = change.apply(path);
        let is_path = !path.starts_with('/')
            || (changed.starts_with('/')
                && changed
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
                && normal::path(&changed, false).is_ok_and(|normal| normal == changed));
        if !is_path {
            let detail = format!(
                "{} made {changed} of the path, which is no path in normal form",
                change.label()
            );
            self.target = Target::Refused(Error::us(Reason::RewriteFailed, detail));
            return None;
        }
        Some(changed)
    }

    /// Why the request goes nowhere, if so.
    pub const fn refusal(&self) -> Option<&Error> {
        match &self.target {
            Target::Refused(error) => Some(error),
            _ => None,
        }
    }
}

/// What is done with a request.
#[derive(Debug, Clone)]
pub enum Target {
    /// It goes to one of these endpoints.
    Cluster(Arc<Cluster>),
    /// It goes to an instance on this node, by its place where the caller's side chose one.
    Local(Arc<LocalService>, Option<usize>),
    /// Its route answers it: with a redirect, or as it says.
    Answered,
    /// It is sent to the same by https, with this status.
    ToHttps(u16),
    /// It ends here: its `Max-Forwards` is used up (RFC 9110 §7.6.2).
    LastHop,
    /// It gets this answer.
    Refused(Error),
}

fn https_location(asked: &Asked<'_>, port: Option<u16>) -> String {
    let mut location = format!("https://{}", asked.host);
    if let Some(port) = port {
        location.push(':');
        location.push_str(&port.to_string());
    }
    location.push_str(if asked.path.starts_with('/') {
        asked.path
    } else {
        "/"
    });
    if let Some(query) = asked.query {
        location.push('?');
        location.push_str(query);
    }
    location
}
