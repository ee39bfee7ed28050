//! Where a request goes and whether it may: decided from values, without I/O.

mod caller;
mod choosing;
mod destination;
mod planned;
mod routing;

pub use caller::Caller;
pub use choosing::{Tried, choose, denial, objection};
pub use destination::{Destination, Told};
pub use planned::{Plan, Target};
pub use routing::{
    by_port, by_server_name, inbound, is_routed, mesh_service, passing_refusal, plan,
    settings_before, to_service,
};

/// Behind a service's name where it is called through the mesh.
const MESH_SUFFIX: &str = ".mesh";
