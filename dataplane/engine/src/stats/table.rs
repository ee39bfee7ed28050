//! Counters by a set of labels, found without making a string. Bounded: what is too many is counted together, and what
//! names nothing any more goes after a while.

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

/// What stands in a row.
pub(super) trait Counters: Default + PartialEq {
    /// Whatever was counted, in one number that only grows: the same as before says that nothing was.
    fn total(&self) -> u64;

    /// Whether something that began is still to be counted as ended, at the row's place.
    fn is_open(&self) -> bool {
        false
    }
}

#[derive(Debug, Clone)]
struct Row<K, V> {
    labels: K,
    counters: V,
    /// Its key among the places.
    slot: u64,
    /// The total when its labels were first found to name nothing any more.
    left_at: Option<u64>,
}

/// Counters by label set.
#[derive(Debug, Clone)]
pub(super) struct Table<K, V> {
    /// The row of each hash: std's maps find no owned key by borrowed parts, hence this detour.
    places: HashMap<u64, usize, BuildHasherDefault<AsIs>>,
    /// The first row is that of all that has none of its own.
    rows: Vec<Row<K, V>>,
    /// Rows that went, to be begun anew: a row's place is kept by who counts in it.
    free: Vec<usize>,
    rows_max: usize,
    /// The place asked for last: mostly it is the next one too, and needs no hash.
    last: usize,
}

impl<K, V: Counters> Table<K, V> {
    /// A table of `rows_max` label sets; what comes beyond is counted under `other`.
    pub fn new<L: LabelSet<Kept = K>>(rows_max: usize, other: &L) -> Self {
        let mut table = Self {
            places: HashMap::default(),
            rows: Vec::new(),
            free: Vec::new(),
            rows_max,
            last: 0,
        };
        table.add(hash_of(other), other.keep());
        table
    }

    /// The counters of `labels`, begun when they are new.
    pub fn row<L: LabelSet<Kept = K>>(&mut self, labels: &L) -> &mut V {
        let place = self.place(labels);
        &mut self.rows[place].counters
    }

    /// The counters at a place that was given for their labels.
    pub fn at(&mut self, place: usize) -> &mut V {
        &mut self.rows[place].counters
    }

    /// Where the counters of `labels` stand, as long as they are open.
    pub fn place<L: LabelSet<Kept = K>>(&mut self, labels: &L) -> usize {
        if !labels.is(&self.rows[self.last].labels) {
            self.last = self.find(labels);
        }
        self.last
    }

    fn find<L: LabelSet<Kept = K>>(&mut self, labels: &L) -> usize {
        let mut slot = hash_of(labels);
        loop {
            match self.places.get(&slot) {
                Some(&place) if labels.is(&self.rows[place].labels) => return place,
                // Two sets with one hash of 64 bits: the second lies one further on.
                Some(_) => slot = slot.wrapping_add(1),
                None if self.rows.len() - self.free.len() <= self.rows_max => {
                    return self.add(slot, labels.keep());
                }
                None => return 0,
            }
        }
    }

    fn add(&mut self, slot: u64, labels: K) -> usize {
        let row = Row {
            labels,
            counters: V::default(),
            slot,
            left_at: None,
        };
        let place = self.free.pop().unwrap_or(self.rows.len());
        if place < self.rows.len() {
            self.rows[place] = row;
        } else {
            self.rows.push(row);
        }
        self.places.insert(slot, place);
        place
    }

    /// Takes out the rows whose labels name nothing any more, once nothing was counted in them from one sweep to the next.
    pub fn sweep(&mut self, is_named: impl Fn(&K) -> bool) {
        for place in 1..self.rows.len() {
            let row = &mut self.rows[place];
            let total = row.counters.total();
            if is_named(&row.labels) {
                row.left_at = None;
            } else if row.left_at != Some(total) || row.counters.is_open() {
                row.left_at = Some(total);
            } else if total > 0 && !self.places.contains_key(&row.slot.wrapping_add(1)) {
                // One with another behind it, which is found by it, stays.
                self.places.remove(&row.slot);
                row.counters = V::default();
                self.free.push(place);
            }
        }
        self.last = 0;
    }

    /// Every row in which something was counted.
    pub fn rows(&self) -> impl Iterator<Item = (&K, &V)> {
        let is_used = |row: &&Row<K, V>| row.counters != V::default();
        self.rows
            .iter()
            .filter(is_used)
            .map(|row| (&row.labels, &row.counters))
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

    impl Counters for u64 {
        fn total(&self) -> u64 {
            *self
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
        // Those that are found by way of another are kept from losing it.
        for _ in 0..3 {
            table.sweep(|name| *name == "c");
        }
        *table.row(&Alike("c")) += 1;
        *table.row(&Alike("a")) += 1;
        let rows: Vec<_> = table.rows().collect();
        assert_eq!(rows, [(&"other", &1), (&"a", &4), (&"b", &2), (&"c", &2)]);
    }
}
