//! What connections are counted under whose port finds out what they speak. It may not find that out.

use super::table::{Counters, LabelSet};
use crate::detect::Detected;

/// What connections are counted under whose port finds out what they speak: names of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DetectedLabels<'l> {
    /// The listener's name.
    pub listener: &'l str,
    /// The calling service.
    pub source: &'l str,
    /// The called service.
    pub destination: &'l str,
    /// What they speak; none: of all that had no room of its own.
    pub protocol: Option<Detected>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DetectedKey {
    pub listener: Box<str>,
    pub source: Box<str>,
    pub destination: Box<str>,
    pub protocol: Option<Detected>,
}

impl DetectedKey {
    pub fn labels(&self) -> DetectedLabels<'_> {
        DetectedLabels {
            listener: &self.listener,
            source: &self.source,
            destination: &self.destination,
            protocol: self.protocol,
        }
    }
}

impl LabelSet for DetectedLabels<'_> {
    type Kept = DetectedKey;

    fn keep(&self) -> DetectedKey {
        DetectedKey {
            listener: self.listener.into(),
            source: self.source.into(),
            destination: self.destination.into(),
            protocol: self.protocol,
        }
    }

    fn is(&self, kept: &DetectedKey) -> bool {
        *self == kept.labels()
    }
}

/// How many connections were found to speak it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DetectedCounter(pub u64);

impl Counters for DetectedCounter {
    fn total(&self) -> u64 {
        self.0
    }
}
