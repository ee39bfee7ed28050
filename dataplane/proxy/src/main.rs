//! `meshnode-proxy`: starts the engine; it may not talk to Consul nor read the environment.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {}
