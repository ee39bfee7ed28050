//! What several integration tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod believes_all;
pub mod ca;
pub mod call;
pub mod snapshot;
pub mod wait;
