//! A small fast source of randomness for trace ids and starting places; it may not be used for keys.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// One thread's generator: xoshiro256++ (Blackman and Vigna), 1 ns a number, no lock and no system call.
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// A generator no other thread or process has: std takes its hash keys from the operating system.
    pub fn from_os() -> Self {
        let keys = RandomState::new();
        Self::from_words([1_u64, 2, 3, 4].map(|word| keys.hash_one(word)))
    }

    /// The generator that always gives the same numbers for `seed`, for tests.
    pub fn from_seed(seed: u64) -> Self {
        let mut words = [0; 4];
        let mut next = seed;
        for word in &mut words {
            *word = split_mix(&mut next);
        }
        Self::from_words(words)
    }

    fn from_words(state: [u64; 4]) -> Self {
        // All zeros is the one state that never leaves itself.
        if state == [0; 4] {
            Self { state: [1; 4] }
        } else {
            Self { state }
        }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number from 0 to `end` - 1; 0 when `end` is 0. The bias is `end` / 2^64.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// Eight bytes that are not all zero, as a span id has to be.
    pub fn nonzero8(&mut self) -> [u8; 8] {
        loop {
            let word = self.next_u64();
            if word != 0 {
                return word.to_be_bytes();
            }
        }
    }

    /// Sixteen bytes that are not all zero, as a trace id has to be.
    pub fn nonzero16(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&self.nonzero8());
        bytes
    }
}

/// `SplitMix64`, which spreads a small seed over the whole state.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // The first outputs of xoshiro256++ from the state 1, 2, 3, 4 (rand_xoshiro's test vector).
        let mut random = Random {
            state: [1, 2, 3, 4],
        };
        let numbers: Vec<u64> = (0..4).map(|_| random.next_u64()).collect();
        let wanted = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
        ];
        assert_eq!(numbers, wanted);
    }

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_two_generators_differ() {
        assert_eq!(
            Random::from_seed(7).next_u64(),
            Random::from_seed(7).next_u64()
        );
        assert_ne!(Random::from_os().next_u64(), Random::from_os().next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut random = Random::from_seed(1);
        let mut seen = [0_u32; 5];
        for _ in 0..1000 {
            seen[random.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 100), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }
}
