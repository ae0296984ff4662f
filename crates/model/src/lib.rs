//! The vocabulary of NovaCron: every resource's spec and status, names, units, validation and
//! the one error.
//!
//! Nothing here performs IO, reads a clock or draws random numbers. The wire form of a type is
//! also its stored form (but for [`Secret`]), so a change to any type is a change to stored data:
//! fields may be added with a default, never renamed or given a new meaning.

pub mod catalogue;
pub mod cluster;
pub mod error;
pub mod event;
pub mod figures;
pub mod image;
pub mod invitation;
pub mod join_token;
pub mod key;
pub mod member;
pub mod meta;
pub mod name;
pub mod network;
pub mod node;
pub mod pool;
pub mod project;
pub mod request;
pub mod secret;
pub mod snapshot;
pub mod strict;
pub mod task;
pub mod token;
pub mod units;
pub mod vm;
pub mod volume;

pub use cluster::ClusterView;
pub use error::{Code, Error, Result};
pub use event::{Event, Level};
pub use image::Image;
pub use invitation::Invitation;
pub use join_token::JoinToken;
pub use member::Member;
pub use meta::{Kind, Meta, NameRule, Object, ObjectRef, Scope};
pub use name::Name;
pub use network::Network;
pub use node::Node;
pub use pool::Pool;
pub use project::Project;
pub use secret::{DataKey, Secret};
pub use snapshot::Snapshot;
pub use task::Task;
pub use token::Token;
pub use units::{Bytes, MilliCpu, Seconds, Time};
pub use vm::Vm;
pub use volume::Volume;
