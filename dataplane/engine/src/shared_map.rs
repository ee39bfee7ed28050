//! A map by name whose copies share all but what is changed in them. It may not know what it holds.
//!
//! Ten thousand entries copied for each change of one would be a millisecond of touching every one of them.

use std::array;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::{FixedState, RandomState};

/// Parts, one of which is copied for a change: near the square root of the number of entries, either side is cheap.
const SHARDS: usize = 64;

type Shard<V> = HashMap<Arc<str>, V, RandomState>;

/// A map by name. A copy is one pointer.
#[derive(Debug, Clone)]
pub struct SharedMap<V> {
    shards: Arc<[Arc<Shard<V>>; SHARDS]>,
}

impl<V> Default for SharedMap<V> {
    fn default() -> Self {
        let empty = Arc::new(Shard::default());
        Self {
            shards: Arc::new(array::from_fn(|_| Arc::clone(&empty))),
        }
    }
}

impl<V> SharedMap<V> {
    /// What has this name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.shards[shard_of(name)].get(name)
    }

    /// Whether anything has this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Everything with its name, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_empty())
    }
}

impl<V: Clone> SharedMap<V> {
    /// Puts something in, in the place of what had the name.
    pub fn insert(&mut self, name: Arc<str>, value: V) {
        self.shard_mut(&name).insert(name, value);
    }

    /// Takes away what has this name.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        // Asked first: a copy of the part is made only for a change.
        self.contains_key(name)
            .then(|| self.shard_mut(name).remove(name))?
    }

    /// What has this name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.contains_key(name)
            .then(|| self.shard_mut(name).get_mut(name))?
    }

    /// What has this name, to be changed, begun if there is none.
    pub fn get_or_default(&mut self, name: &str) -> &mut V
    where
        V: Default,
    {
        self.shard_mut(name).entry(Arc::from(name)).or_default()
    }

    fn shard_mut(&mut self, name: &str) -> &mut Shard<V> {
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard_of(name)])
    }
}

/// By another hash than the parts', whose maps would else see but alike ones.
fn shard_of(name: &str) -> usize {
    FixedState::default().hash_one(name) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: usize) -> SharedMap<usize> {
        let mut map = SharedMap::default();
        for at in 0..count {
            map.insert(Arc::from(at.to_string()), at);
        }
        map
    }

    #[test]
    fn what_is_put_in_is_found_and_what_is_taken_out_is_not() {
        let mut map = filled(1000);
        assert_eq!(
            (map.len(), map.get("777"), map.get("1000")),
            (1000, Some(&777), None)
        );
        assert_eq!(
            (map.remove("777"), map.remove("777"), map.get("777")),
            (Some(777), None, None)
        );
        map.insert(Arc::from("1"), 11);
        *map.get_mut("2").unwrap() += 20;
        *map.get_or_default("3") += 30;
        *map.get_or_default("new") += 5;
        let seen = ["1", "2", "3", "new"].map(|name| *map.get(name).unwrap());
        assert_eq!(seen, [11, 22, 33, 5]);
        assert_eq!(
            (map.len(), map.iter().count(), map.get_mut("none")),
            (1000, 1000, None)
        );
        assert!(!map.is_empty() && SharedMap::<u8>::default().is_empty());
    }

    #[test]
    fn a_change_leaves_the_copy_alone_and_shares_the_other_parts() {
        let before = filled(1000);
        let mut after = before.clone();
        after.insert(Arc::from("5"), 0);
        after.remove("5000");
        assert_eq!((before.get("5"), after.get("5")), (Some(&5), Some(&0)));
        let parts = before.shards.iter().zip(after.shards.iter());
        assert_eq!(
            parts
                .filter(|(one, other)| !Arc::ptr_eq(one, other))
                .count(),
            1
        );
    }

    #[test]
    fn the_parts_are_alike_in_size() {
        let map = filled(64_000);
        let sizes = map.shards.iter().map(|shard| shard.len());
        assert!(sizes.clone().min() > Some(800) && sizes.max() < Some(1200));
    }
}
