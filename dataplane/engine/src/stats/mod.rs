//! What is counted: per thread without locks, merged and written when asked for. It may not keep times or requests.

mod configured;
mod detected;
mod histogram;
mod recorder;
mod report;
mod table;
#[cfg(test)]
mod tests;

pub use self::detected::DetectedLabels;
pub use self::histogram::{BUCKET_BOUNDS_US, Histogram};
pub use self::recorder::{LABEL_SETS, Recorder, RequestLabels, StreamPlace, UpstreamPlace};
pub use self::report::{CertificateState, FaultCounts, IdentityState, Outside};
