//! Counters by a set of labels, found without making a string. Bounded: what is too many is counted together.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

use foldhash::fast::FixedState;

/// Labels as they are at hand when something is counted, borrowed.
pub(super) trait LabelSet: Hash {
    /// The same, to be kept.
    type Kept;

    fn keep(&self) -> Self::Kept;

    fn is(&self, kept: &Self::Kept) -> bool;
}

/// Counters by label set.
#[derive(Debug, Clone)]
pub(super) struct Table<K, V> {
    /// The row of each hash: std's maps find no owned key by borrowed parts, hence this detour.
    places: HashMap<u64, usize, BuildHasherDefault<AsIs>>,
    /// The first row is that of all that has none of its own.
    rows: Vec<(K, V)>,
    rows_max: usize,
    /// The place asked for last: mostly it is the next one too, and needs no hash.
    last: usize,
}

impl<K, V: Default + PartialEq> Table<K, V> {
    /// A table of `rows_max` label sets; what comes beyond is counted under `other`.
    pub fn new<L: LabelSet<Kept = K>>(rows_max: usize, other: &L) -> Self {
        let mut table = Self {
            places: HashMap::default(),
            rows: Vec::new(),
            rows_max,
            last: 0,
        };
        table.add(hash_of(other), other.keep());
        table
    }

    /// The counters of `labels`, begun when they are new.
    pub fn row<L: LabelSet<Kept = K>>(&mut self, labels: &L) -> &mut V {
        let place = self.place(labels);
        &mut self.rows[place].1
    }

    /// The counters at a place that was given for their labels.
    pub fn at(&mut self, place: usize) -> &mut V {
        &mut self.rows[place].1
    }

    /// Where the counters of `labels` stand, from now on: no row ever goes.
    pub fn place<L: LabelSet<Kept = K>>(&mut self, labels: &L) -> usize {
        if !labels.is(&self.rows[self.last].0) {
            self.last = self.find(labels);
        }
        self.last
    }

    fn find<L: LabelSet<Kept = K>>(&mut self, labels: &L) -> usize {
        let mut slot = hash_of(labels);
        loop {
            match self.places.get(&slot) {
                Some(&place) if labels.is(&self.rows[place].0) => return place,
                // Two sets with one hash of 64 bits: the second lies one further on.
                Some(_) => slot = slot.wrapping_add(1),
                None if self.rows.len() <= self.rows_max => return self.add(slot, labels.keep()),
                None => return 0,
            }
        }
    }

    fn add(&mut self, slot: u64, kept: K) -> usize {
        self.places.insert(slot, self.rows.len());
        self.rows.push((kept, V::default()));
        self.rows.len() - 1
    }

    /// Every row in which something was counted.
    pub fn rows(&self) -> impl Iterator<Item = (&K, &V)> {
        let is_used = |row: &&(K, V)| row.1 != V::default();
        self.rows
            .iter()
            .filter(is_used)
            .map(|(labels, counters)| (labels, counters))
    }
}

/// The same for the same labels in every table. Labels come from the configuration, so nobody can aim at a hash.
fn hash_of(labels: &impl Hash) -> u64 {
    FixedState::default().hash_one(labels)
}

/// Takes a hash for its own hash.
#[derive(Debug, Clone, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are 64-bit numbers")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A label that has the hash of every other.
    struct Alike(&'static str);

    impl Hash for Alike {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }

    impl LabelSet for Alike {
        type Kept = &'static str;

        fn keep(&self) -> &'static str {
            self.0
        }

        fn is(&self, kept: &&'static str) -> bool {
            self.0 == *kept
        }
    }

    #[test]
    fn labels_with_one_hash_are_told_apart() {
        let mut table: Table<&'static str, u64> = Table::new(3, &Alike("other"));
        for name in ["a", "b", "c", "a", "b", "d", "a"] {
            *table.row(&Alike(name)) += 1;
        }
        let rows: Vec<_> = table.rows().collect();
        assert_eq!(rows, [(&"other", &1), (&"a", &3), (&"b", &2), (&"c", &1)]);
    }
}
