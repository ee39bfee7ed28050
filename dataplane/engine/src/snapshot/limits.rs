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

/// Bytes of a service's name that stands in a host, with `.mesh` behind it.
pub const SERVICE_BYTES: usize = HOST_BYTES - 5;

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

/// Networks of one list: walked for a request.
pub const NETWORKS: usize = 256;

/// Hosts of one route: each is a place in the table.
pub const HOSTS: usize = 64;

/// How far a priority is from 0: each one used is a table of its own, looked into for every request that none above took.
pub const PRIORITY: i64 = 10;

/// Methods of one route: there are nine, and some of `WebDAV`.
pub const METHODS: usize = 16;

/// Conditions of one route, each looked at for a request.
pub const CONDITIONS: usize = 64;

/// Bytes of a condition's value: a long cookie.
pub const VALUE_BYTES: usize = 4096;

/// Calling services of one route.
pub const SOURCES: usize = 256;

/// Bytes of a regex or glob as written; what it takes compiled is bounded by the router.
pub const PATTERN_BYTES: usize = 1024;

/// Header fields a route removes, sets or adds, each: as many as a usual head has.
pub const HEADER_EDITS: usize = 32;

/// Bytes of a header's value a route sets: what origins take.
pub const HEADER_BYTES: usize = 8192;

/// Bytes of a fixed answer: a page, not a site; it stands in every snapshot.
pub const ANSWER_BYTES: usize = 64 << 10;

/// Tries beside the first: more would only add to what is failing.
pub const RETRIES: u64 = 10;

/// Statuses after which a route tries again.
pub const RETRY_STATUSES: usize = 64;

/// Retries for a hundred requests, and a second: a budget over these is none.
pub const RETRY_PERCENT: u64 = 1000;
/// As above.
pub const RETRIES_A_SECOND: u64 = 100_000;

/// Milliseconds of a timeout: one day; longer ones are no timeouts.
pub const TIMEOUT_MS: u64 = 86_400_000;

/// Milliseconds in which a connection is to show what it speaks: ten seconds; a server that speaks first is waited for
/// no longer by anybody.
pub const DETECT_TIMEOUT_MS: u64 = 10_000;

/// Authorities of one host's clients: each is tried in a handshake.
pub const AUTHORITIES: usize = 64;

/// Seconds browsers are told to come by https alone: two years is what preload lists ask for, ten are for ever.
pub const HSTS_S: u64 = 315_360_000;

/// Requests a second, at once, and at one time: above it a limit is none.
pub const REQUESTS: u64 = 1_000_000;

/// Bytes of a body: a tebibyte; above it a limit is none.
pub const BODY_BYTES: u64 = 1 << 40;

/// Bytes of memory a proxy may have: a pebibyte; above it a limit is none.
pub const MEMORY_BYTES: u64 = 1 << 50;

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 256;

/// Bytes of a path or sentence in a refusal, which may quote what was sent.
pub const REFUSAL_BYTES: usize = 500;
