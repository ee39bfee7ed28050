//! Smooth weighted round robin over a few entries. It may not know what they are.
//!
//! Each entry's turns are due at 1/2w, 3/2w, 5/2w … of a period, and the earliest due is next: over a period each
//! gets exactly its weight, spread evenly, for a step in a heap.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::random::Random;

/// One round and the place in it.
#[derive(Debug)]
pub(super) struct Round {
    /// Every entry with a weight, the one due next on top.
    due: BinaryHeap<Reverse<Turn>>,
    /// How many turns a period has: the sum of the weights.
    period: u64,
    /// How many of this period were taken.
    taken: u64,
}

/// An entry's next turn, due at `half_turns` / 2 `weight` of the period.
#[derive(Debug, Clone, Copy)]
struct Turn {
    half_turns: u64,
    weight: u32,
    /// Where among equals, which is another place in each thread.
    rank: u32,
    index: u32,
}

impl Round {
    /// The round of these weights, those of 0 left out.
    pub fn new(weights: &[u32], random: &mut Random) -> Self {
        let count = weights.len() as u64;
        let first = random.below(count);
        let turns = weights
            .iter()
            .zip(0_u32..)
            .filter(|&(&weight, _)| weight > 0);
        let due = turns.map(|(&weight, index)| {
            let rank = ((u64::from(index) + count - first) % count) as u32;
            Reverse(Turn {
                half_turns: 1,
                weight,
                rank,
                index,
            })
        });
        let period = weights.iter().map(|&weight| u64::from(weight)).sum();
        Self {
            due: due.collect(),
            period,
            taken: 0,
        }
    }

    /// The index whose turn it is, `tried` left out.
    pub fn next(&mut self, tried: &[usize]) -> Option<usize> {
        let mut skipped = Vec::new();
        let chosen = loop {
            let Some(mut top) = self.due.peek_mut() else {
                break None;
            };
            let index = top.0.index as usize;
            if tried.contains(&index) {
                // Its turn stays due: what failed once is asked again by the next request.
                skipped.push(PeekMut::pop(top));
                continue;
            }
            top.0.half_turns += 2;
            break Some(index);
        };
        self.due.extend(skipped);
        if chosen.is_some() {
            self.taken += 1;
            if self.taken == self.period {
                self.begin_period();
            }
        }
        chosen
    }

    /// Begins anew, so that the numbers stay small and what was skipped is not made up for for ever.
    fn begin_period(&mut self) {
        self.taken = 0;
        let begin = |Reverse(turn): Reverse<Turn>| {
            Reverse(Turn {
                half_turns: 1,
                ..turn
            })
        };
        self.due = std::mem::take(&mut self.due)
            .into_iter()
            .map(begin)
            .collect();
    }
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        // a / 2v against b / 2w without dividing; a is at most two periods, so the products stay below 2^63.
        let mine = self.half_turns * u64::from(other.weight);
        let theirs = other.half_turns * u64::from(self.weight);
        mine.cmp(&theirs).then(self.rank.cmp(&other.rank))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}
