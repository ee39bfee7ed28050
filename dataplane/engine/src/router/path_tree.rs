//! The routes of one host by path: a tree over whole segments. It may not know hosts.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::asked::Asked;
use super::condition::Conditions;
use super::route::{PathMatch, Route};

/// One segment's place in the tree; the root is the place before the first `/`.
///
/// Each slot holds every route of that very path in the order of precedence, so that the next one is there when the
/// first goes, or does not hold.
#[derive(Debug, Clone, Default)]
pub(super) struct PathTree {
    /// Routes that take exactly the path that ends here.
    exact: Vec<Arc<Route>>,
    /// Routes whose prefix ends here: they take what ends here and what goes on. At the root: the prefix `/`.
    prefix: Vec<Arc<Route>>,
    /// Routes whose prefix ends here with a slash: they take only what goes on.
    below: Vec<Arc<Route>>,
    /// Globs and regexes: all they take goes on from here.
    patterns: Vec<Arc<Route>>,
    children: HashMap<Arc<str>, Arc<PathTree>, RandomState>,
}

impl PathTree {
    /// The first route in the order of precedence that takes the request: exact, else on the longest way.
    #[inline]
    pub(super) fn find(&self, asked: &Asked<'_>) -> Option<&Arc<Route>> {
        let path = if asked.path.is_empty() {
            "/"
        } else {
            asked.path
        };
        match path.strip_prefix('/') {
            Some(rest) => self.find_behind(rest, asked),
            None => first(&self.prefix, asked),
        }
    }

    /// The same below this place, behind a slash.
    ///
    /// The depth is bounded by that of the tree, and so by the length of a path in a snapshot.
    fn find_behind(&self, rest: &str, asked: &Asked<'_>) -> Option<&Arc<Route>> {
        let (segment, behind) = match memchr::memchr(b'/', rest.as_bytes()) {
            Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
            None => (rest, None),
        };
        let deeper = self.children.get(segment).and_then(|child| match behind {
            None => first(&child.exact, asked).or_else(|| first(&child.prefix, asked)),
            Some(behind) => child.find_behind(behind, asked),
        });
        deeper
            .or_else(|| first(&self.below, asked))
            .or_else(|| first_pattern(&self.patterns, asked))
            .or_else(|| first(&self.prefix, asked))
    }

    pub(super) fn insert(&mut self, route: &Arc<Route>) {
        let slot = self.place_mut(&route.path);
        let at = slot.partition_point(|other| rank(other) < rank(route));
        slot.insert(at, Arc::clone(route));
    }

    fn place_mut(&mut self, path: &PathMatch) -> &mut Vec<Arc<Route>> {
        let (segments, slot) = split(path);
        let mut place = self;
        for segment in segments {
            place = Arc::make_mut(place.children.entry(Arc::from(segment)).or_default());
        }
        place.slot_mut(slot)
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut Vec<Arc<Route>> {
        match slot {
            Slot::Exact => &mut self.exact,
            Slot::Prefix => &mut self.prefix,
            Slot::Below => &mut self.below,
            Slot::Patterns => &mut self.patterns,
        }
    }

    pub(super) fn remove(&mut self, route: &Arc<Route>) {
        let (segments, slot) = split(&route.path);
        self.remove_at(segments, slot, &route.name);
    }

    /// Goes down the segments and takes places that became empty away on the way back.
    ///
    /// The depth is bounded by the length of a path in a snapshot; see `snapshot::limits::PATH_BYTES`.
    fn remove_at<'p>(
        &mut self,
        mut segments: impl Iterator<Item = &'p str>,
        slot: Slot,
        name: &str,
    ) {
        let Some(segment) = segments.next() else {
            return self.slot_mut(slot).retain(|other| &*other.name != name);
        };
        if let Some(child) = self.children.get_mut(segment) {
            let child = Arc::make_mut(child);
            child.remove_at(segments, slot, name);
            if child.is_empty() {
                self.children.remove(segment);
            }
        }
    }

    /// Puts its routes behind `found`, in no order, until there are `most`.
    ///
    /// The depth is bounded as that of `remove_at`.
    pub(super) fn collect<'t>(&'t self, found: &mut Vec<&'t Arc<Route>>, most: usize) {
        let slots = [&self.exact, &self.prefix, &self.below, &self.patterns];
        let room = most.saturating_sub(found.len());
        found.extend(slots.into_iter().flatten().take(room));
        for child in self.children.values() {
            if found.len() >= most {
                return;
            }
            child.collect(found, most);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.exact.is_empty()
            && self.prefix.is_empty()
            && self.below.is_empty()
            && self.patterns.is_empty()
    }
}

/// The first whose conditions hold.
#[inline]
fn first<'t>(routes: &'t [Arc<Route>], asked: &Asked<'_>) -> Option<&'t Arc<Route>> {
    routes.iter().find(|route| holds(route, asked))
}

#[inline]
fn first_pattern<'t>(routes: &'t [Arc<Route>], asked: &Asked<'_>) -> Option<&'t Arc<Route>> {
    let takes = |route: &&Arc<Route>| route.path.takes(asked.path) && holds(route, asked);
    routes.iter().find(takes)
}

#[inline]
fn holds(route: &Route, asked: &Asked<'_>) -> bool {
    let conditions = route.conditions.as_deref();
    conditions.is_none_or(|conditions| conditions.missed(asked).is_none())
}

/// Where a route stands among those of one slot: the lesser is asked first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotRank<'r> {
    pub(super) pattern_bytes: Reverse<usize>,
    pub(super) has_methods: Reverse<bool>,
    pub(super) head: Reverse<usize>,
    pub(super) query: Reverse<usize>,
    pub(super) index: u64,
    name: &'r str,
}

pub(super) fn rank(route: &Route) -> SlotRank<'_> {
    let (has_methods, head, query) = route
        .conditions
        .as_deref()
        .map_or((false, 0, 0), Conditions::rank);
    let pattern_bytes = match &route.path {
        PathMatch::Pattern(pattern) => pattern.as_str().len(),
        PathMatch::Prefix(_) | PathMatch::Exact(_) => 0,
    };
    SlotRank {
        pattern_bytes: Reverse(pattern_bytes),
        has_methods: Reverse(has_methods),
        head: Reverse(head),
        query: Reverse(query),
        index: route.index,
        name: &route.name,
    }
}

/// Where a path stands among those that take the same request: the lesser is asked first.
pub(super) fn place_rank(path: &PathMatch) -> (u8, Reverse<usize>, u8) {
    let (segments, slot) = split(path);
    let order = match slot {
        Slot::Exact => return (0, Reverse(0), 0),
        Slot::Below => 0,
        Slot::Patterns => 1,
        Slot::Prefix => 2,
    };
    (1, Reverse(segments.count()), order)
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Exact,
    Prefix,
    Below,
    Patterns,
}

/// The segments that lead to a path's place, and the slot there.
fn split(path: &PathMatch) -> (std::str::Split<'_, char>, Slot) {
    let (path, slot) = match path {
        PathMatch::Exact(path) => (&**path, Slot::Exact),
        PathMatch::Prefix(path) if &**path == "/" => ("", Slot::Prefix),
        PathMatch::Prefix(path) => match path.strip_suffix('/') {
            Some(above) => (above, Slot::Below),
            None => (&**path, Slot::Prefix),
        },
        // Up to the last slash of what all it takes begins with: those are whole segments.
        PathMatch::Pattern(pattern) => {
            let begin = pattern.begin();
            (
                begin.rsplit_once('/').map_or("", |(whole, _)| whole),
                Slot::Patterns,
            )
        }
    };
    let mut segments = path.split('/');
    // What stands before the first slash is the root itself.
    segments.next();
    (segments, slot)
}
