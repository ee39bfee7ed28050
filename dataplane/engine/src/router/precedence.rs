//! The order of routes, as one value to compare. It may not look at a request but for its host.

use std::cmp::Reverse;

use super::path_tree::{self, SlotRank};
use super::route::{HostMatch, Route};

/// Where a route stands among all that take a request: the lesser is asked first. Its fields are in the order in which
/// they count.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence<'r> {
    priority: Reverse<i8>,
    host: Reverse<Option<(u8, usize)>>,
    path: (u8, Reverse<usize>, u8),
    slot: SlotRank<'r>,
}

/// What puts one route before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Its priority is higher.
    Priority,
    /// Its host is exact, or a longer wildcard.
    Host,
    /// Its path is exact, or longer.
    Path,
    /// Its pattern is longer.
    Pattern,
    /// It names methods.
    Methods,
    /// It has more conditions on the head.
    Head,
    /// It has more conditions on the query.
    Query,
    /// It is older.
    Index,
    /// Its name comes first.
    Name,
}

/// Where a route stands among all that take `host`.
pub fn precedence<'r>(route: &'r Route, host: &str) -> Precedence<'r> {
    let host = route
        .hosts
        .iter()
        .filter(|one| one.takes(host))
        .map(HostMatch::rank)
        .max();
    Precedence {
        priority: Reverse(route.priority),
        host: Reverse(host),
        path: path_tree::place_rank(&route.path),
        slot: path_tree::rank(route),
    }
}

impl Precedence<'_> {
    /// The first thing that puts this one before or behind `other`.
    pub fn first_difference(&self, other: &Self) -> Rank {
        let (mine, theirs) = (&self.slot, &other.slot);
        let differences = [
            (self.priority != other.priority, Rank::Priority),
            (self.host != other.host, Rank::Host),
            (self.path != other.path, Rank::Path),
            (mine.pattern_bytes != theirs.pattern_bytes, Rank::Pattern),
            (mine.has_methods != theirs.has_methods, Rank::Methods),
            (mine.head != theirs.head, Rank::Head),
            (mine.query != theirs.query, Rank::Query),
            (mine.index != theirs.index, Rank::Index),
        ];
        let first = differences.iter().find(|(is_there, _)| *is_there);
        first.map_or(Rank::Name, |(_, rank)| *rank)
    }
}
