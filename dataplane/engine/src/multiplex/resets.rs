//! How many streams a client may take back: as many as people do, and not as many as an attack does (CVE-2023-44487).
//! It may not end a connection; who drives it does.

use std::time::Duration;

use crate::clock::Instant;

/// In this time one more may be taken back: a program that cancels what it does not need any more stays below it.
const EVERY: Duration = Duration::from_millis(50);

/// The streams that were taken back of late.
#[derive(Debug)]
pub(super) struct Resets {
    /// How many may be at once.
    most: u32,
    /// How many of them there are at `since`.
    level: u32,
    since: Instant,
}

impl Resets {
    /// None yet; `most` may be at once.
    pub fn new(most: u32, now: Instant) -> Self {
        Self {
            most,
            level: 0,
            since: now,
        }
    }

    /// Adds `count`. True: it is a flood.
    pub fn add(&mut self, count: u32, now: Instant) -> bool {
        let forgiven = now.duration_since(self.since).as_millis() / EVERY.as_millis();
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
        self.since = if forgiven >= self.level {
            now
        } else {
            self.since + EVERY * forgiven
        };
        self.level = self.level.saturating_sub(forgiven).saturating_add(count);
        self.level > self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_flood_is_told_from_a_client_that_changes_its_mind() {
        let start = clock::now();
        let mut flood = Resets::new(100, start);
        let mut patient = Resets::new(100, start);
        let ends = (1..1000).find(|_| flood.add(1, start));
        assert_eq!(ends, Some(101));
        for step in 1..10_000 {
            assert!(!patient.add(1, start + EVERY * step));
        }
        // What was quiet for long has no more in hand than at its start.
        let late = start + EVERY * 1_000_000;
        assert!(!patient.add(100, late) && patient.add(1, late));
    }
}
