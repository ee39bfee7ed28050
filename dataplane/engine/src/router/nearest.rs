//! Which routes nearly took a request, and why they did not: for people. It may not decide, and looks at every route.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt::Write;
use std::sync::Arc;

use super::asked::Asked;
use super::precedence::{Precedence, Rank, precedence};
use super::route::{HostMatch, PathMatch, Route, Unfit, is_mesh_host};

/// How the names of routes begin that nobody wrote: the agent makes one for each service's host (docs/boundary.md).
const MADE: &str = "mesh:";

/// A route that did not take a request.
#[derive(Debug, Clone, Copy)]
pub struct Near<'r> {
    /// The route.
    pub route: &'r Arc<Route>,
    /// Why it did not.
    pub why: Why<'r>,
}

/// Why a route did not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why<'r> {
    /// Something about the request is not as it wants it.
    Unfit(Unfit<'r>),
    /// It takes every host but those under `.mesh`.
    MeshHost,
    /// It would, but another goes before it, by this.
    Outranked(&'r Route, Rank),
}

/// A route that did not take a request, told.
#[derive(Debug, Clone)]
pub struct Hint {
    /// The route.
    pub route: Arc<Route>,
    /// The code of what kept it.
    pub code: &'static str,
    /// What kept it, for a person.
    pub sentence: String,
}

/// How near a route came: the lesser is nearer.
type Distance<'r> = (u8, Reverse<usize>, Precedence<'r>);

/// The routes beside `winner` that came nearest to taking a request, the nearest first, `most` of them: those that
/// would take it, those whose conditions don't hold, those of its host, those of its path, the others; behind all that
/// people wrote those made for other hosts.
pub fn nearest<'r>(
    routes: impl Iterator<Item = &'r Arc<Route>>,
    asked: &Asked<'_>,
    winner: Option<&'r Route>,
    most: usize,
) -> Vec<Near<'r>> {
    // The furthest of the nearest on top.
    let mut kept: BinaryHeap<Kept<'r>> = BinaryHeap::new();
    let losers = routes.filter(|route| {
        route.raw.is_none() && winner.is_none_or(|winner| winner.name != route.name)
    });
    for route in losers.take_while(|_| most > 0) {
        let Some(why) = why(route, asked, winner) else {
            continue;
        };
        let (class, nearness) = class(route, asked, why);
        let furthest = kept.peek().filter(|_| kept.len() == most);
        // The place among all takes longer to find, and mostly the rest has said it.
        if furthest.is_some_and(|kept| (kept.0.0, kept.0.1) < (class, nearness)) {
            continue;
        }
        let distance = (class, nearness, precedence(route, asked.host));
        kept.push(Kept(distance, Near { route, why }));
        if kept.len() > most {
            kept.pop();
        }
    }
    let kept = kept.into_sorted_vec();
    kept.into_iter().map(|Kept(_, near)| near).collect()
}

/// A route and how near it came; compared by that.
struct Kept<'r>(Distance<'r>, Near<'r>);

impl Ord for Kept<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Kept<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kept<'_> {}

/// None: it takes the request, and so does no other before it.
fn why<'r>(route: &'r Route, asked: &Asked<'_>, winner: Option<&'r Route>) -> Option<Why<'r>> {
    let takes_any = || route.hosts.contains(&HostMatch::Any);
    match route.missed(asked) {
        Some(Unfit::Host) if is_mesh_host(asked.host) && takes_any() => Some(Why::MeshHost),
        Some(unfit) => Some(Why::Unfit(unfit)),
        None => winner.map(|winner| {
            let first = precedence(winner, asked.host);
            let second = precedence(route, asked.host);
            Why::Outranked(winner, first.first_difference(&second))
        }),
    }
}

fn class(route: &Route, asked: &Asked<'_>, why: Why<'_>) -> (u8, Reverse<usize>) {
    let is_path = route.path.takes(asked.path);
    let (class, nearness) = match why {
        Why::Outranked(..) => (0, 0),
        Why::Unfit(Unfit::Condition(_)) => (1, 0),
        Why::Unfit(Unfit::Path) => (2, alike(route.path.as_str().bytes(), asked.path.bytes())),
        Why::Unfit(Unfit::Host) | Why::MeshHost => {
            let likeness = |host: &HostMatch| match host {
                HostMatch::Exact(host) | HostMatch::Wildcard(host) => {
                    alike(host.bytes().rev(), asked.host.bytes().rev())
                }
                HostMatch::Any => 0,
            };
            let nearness = route.hosts.iter().map(likeness).max().unwrap_or(0);
            let class = match (route.name.starts_with(MADE), is_path) {
                (true, _) => 5,
                (false, true) => 3,
                (false, false) => 4,
            };
            (class, nearness)
        }
    };
    (class, Reverse(nearness))
}

/// How many bytes two texts have in common from their beginning.
fn alike(one: impl Iterator<Item = u8>, other: impl Iterator<Item = u8>) -> usize {
    one.zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

impl Near<'_> {
    /// The same, told.
    pub fn hint(&self, asked: &Asked<'_>) -> Hint {
        Hint {
            route: Arc::clone(self.route),
            code: self.why.code(),
            sentence: self.why.sentence(self.route, asked),
        }
    }
}

impl Why<'_> {
    /// The stable code, as docs/boundary.md lists them.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unfit(Unfit::Host) => "host",
            Self::Unfit(Unfit::Path) => "path",
            Self::Unfit(Unfit::Condition(missed)) => missed.code(),
            Self::MeshHost => "mesh_host",
            Self::Outranked(..) => "outranked",
        }
    }

    /// What is the matter, for a person.
    pub fn sentence(&self, route: &Route, asked: &Asked<'_>) -> String {
        match self {
            Self::Unfit(Unfit::Host) => format!("it takes {}, not {}", hosts(route), asked.host),
            Self::Unfit(Unfit::Path) => path(route, asked.path),
            Self::Unfit(Unfit::Condition(missed)) => missed.sentence(asked),
            Self::MeshHost => "`*` takes no host under .mesh".to_owned(),
            Self::Outranked(winner, rank) => outranked(winner, *rank),
        }
    }
}

fn hosts(route: &Route) -> String {
    let mut text = match route.hosts.first() {
        Some(HostMatch::Exact(host)) => host.to_string(),
        Some(HostMatch::Wildcard(suffix)) => format!("*.{suffix}"),
        Some(HostMatch::Any) | None => "*".to_owned(),
    };
    if route.hosts.len() > 1 {
        // A string takes whatever is written to it.
        let _ = write!(text, " and {} more", route.hosts.len() - 1);
    }
    text
}

fn path(route: &Route, asked: &str) -> String {
    match &route.path {
        PathMatch::Exact(path) => format!("it takes {path} alone, not {asked}"),
        PathMatch::Prefix(path) if path.ends_with('/') => {
            format!("it takes what is below {path}, not {asked}")
        }
        PathMatch::Prefix(path) => format!("it takes {path} and what is below it, not {asked}"),
        PathMatch::Pattern(pattern) => {
            format!("its pattern {} does not take {asked}", pattern.as_str())
        }
    }
}

fn outranked(winner: &Route, rank: Rank) -> String {
    let name = &winner.name;
    match rank {
        Rank::Priority => format!("{name} has the higher priority, {}", winner.priority),
        Rank::Host => format!("{name} names the host more exactly"),
        Rank::Path if matches!(winner.path, PathMatch::Exact(_)) => {
            format!("{name} takes exactly this path")
        }
        Rank::Path => format!("shorter path than that of {name}"),
        Rank::Pattern => format!("shorter pattern than that of {name}"),
        Rank::Methods => format!("{name} names methods"),
        Rank::Head => format!("{name} has more conditions on the head"),
        Rank::Query => format!("{name} has more conditions on the query"),
        Rank::Index => format!("{name} is older, from index {}", winner.index),
        Rank::Name => format!("{name} comes first by its name"),
    }
}
