//! What is told of each sampled request: kept per thread, gathered in a bounded ring, encoded as OTLP.
//! It may not send anything, nor make a request wait.

mod buffer;
mod otlp;
mod protobuf;
mod record;
mod ring;
#[cfg(test)]
mod tests;

pub use self::buffer::SpanBuffer;
pub use self::otlp::encode;
pub use self::record::{SpanRecord, TEXT_BYTES, Texts, TunnelEnd, TunnelRecord, cut};
pub use self::ring::{BATCH_SPANS, RING_SPANS, SpanCounts, SpanRing};
