//! One open listener: its sockets, how connections are taken from them, what is counted. It may not decide which
//! listeners there are (`reconcile` does), nor read a byte of a connection.

mod accept;
mod bind;
mod gate;
mod state;

pub(crate) use self::accept::accept_all;
pub(crate) use self::bind::{Bound, bind, bind_group};
pub(crate) use self::gate::Door;
pub use self::gate::{Admission, Gate};
pub use self::state::{ListenerState, ListenerStates, Phase};
