//! How large a snapshot and its parts may be. A document over a limit is refused, never cut.

/// Bytes of a whole document: ten thousand routes are about 3 MB.
pub const DOCUMENT_BYTES: usize = 64 << 20;

/// Resources of one collection: ten times the largest mesh thought of.
pub const RESOURCES: usize = 100_000;

/// Bytes of a resource's name and of any other name in it: Consul's own limit for a KV key.
pub const NAME_BYTES: usize = 512;

/// Bytes of the KV key a route came from: Consul's limit, with room for a dialect's prefix.
pub const KEY_BYTES: usize = 1024;

/// Bytes of a host: what DNS allows.
pub const HOST_BYTES: usize = 253;

/// Bytes of a route's path. The depth of the path tree, which is walked by recursion, is bounded by it.
pub const PATH_BYTES: usize = 2048;

/// Bytes of a redirect's location.
pub const LOCATION_BYTES: usize = 2048;

/// Clusters of one split.
pub const SPLIT_CLUSTERS: usize = 64;

/// A weight, so that the sum of all weights of a cluster stays in 64 bits.
pub const WEIGHT: u32 = 1_000_000;

/// Endpoints of one cluster, and instances of one service on a node.
pub const ENDPOINTS: usize = 10_000;

/// Addresses of one instance: each is tried on refusal, and the caller waits.
pub const ADDRESSES: usize = 16;

/// Intentions of one destination.
pub const RULES: usize = 10_000;

/// Sockets and user ids that may stand for a service: each is looked at when a caller connects.
pub const OWNERS: usize = 256;

/// Networks of trusted proxies: walked for each connection at the edge.
pub const TRUSTED_PROXIES: usize = 256;

/// Milliseconds of a timeout: one day; longer ones are no timeouts.
pub const TIMEOUT_MS: u64 = 86_400_000;

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 256;

/// Bytes of a path or sentence in a refusal, which may quote what was sent.
pub const REFUSAL_BYTES: usize = 500;
