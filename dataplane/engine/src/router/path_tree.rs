//! The routes of one host by path: a tree over whole segments. It may not know hosts.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::route::{PathMatch, Route};

/// One segment's place in the tree; the root is the place before the first `/`.
///
/// Each slot holds every route of that very path, oldest first, so that the next one is there when the first goes.
#[derive(Debug, Clone, Default)]
pub(super) struct PathTree {
    /// Routes that take exactly the path that ends here.
    exact: Vec<Arc<Route>>,
    /// Routes whose prefix ends here: they take what ends here and what goes on. At the root: the prefix `/`.
    prefix: Vec<Arc<Route>>,
    /// Routes whose prefix ends here with a slash: they take only what goes on.
    below: Vec<Arc<Route>>,
    children: HashMap<Arc<str>, Arc<PathTree>, RandomState>,
}

impl PathTree {
    /// The route that takes `path`: an exact one, else that of the longest prefix.
    pub(super) fn find(&self, path: &str) -> Option<&Arc<Route>> {
        let mut best = self.prefix.first();
        let path = if path.is_empty() { "/" } else { path };
        let Some(mut rest) = path.strip_prefix('/') else {
            return best;
        };
        let mut place = self;
        loop {
            let (segment, behind) = match memchr::memchr(b'/', rest.as_bytes()) {
                Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
                None => (rest, None),
            };
            let Some(child) = place.children.get(segment) else {
                return best;
            };
            place = child;
            best = place.prefix.first().or(best);
            match behind {
                None => return place.exact.first().or(best),
                Some(behind) => {
                    best = place.below.first().or(best);
                    rest = behind;
                }
            }
        }
    }

    pub(super) fn insert(&mut self, route: &Arc<Route>) {
        let slot = self.place_mut(&route.path);
        let at =
            slot.partition_point(|other| (other.index, &other.name) < (route.index, &route.name));
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

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.exact.is_empty()
            && self.prefix.is_empty()
            && self.below.is_empty()
    }
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Exact,
    Prefix,
    Below,
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
    };
    let mut segments = path.split('/');
    // What stands before the first slash is the root itself.
    segments.next();
    (segments, slot)
}
