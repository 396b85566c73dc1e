//! What people and bastions meet: an SSH server in front of the desk. It decides nothing.
//!
//! In the order in which a client comes in:
//!
//! * [`listen`]: accepts connections, reloads the configuration, stops politely.
//! * [`gate`]: how many connections may be half-open, and for how long.
//! * [`connection`]: who somebody is, by the key that was proven.
//! * [`channel`], [`peer`]: one session channel, and the person at its other end.
//! * [`line`], [`command`]: from what was typed to a command.
//! * [`call`], [`run`]: one command, from its words to its exit status.
//! * [`request`], [`approve`], [`prove`], [`review`], [`watch`], [`sign`], [`agent`]: the commands that wait and sign;
//!   [`shut`]: those that shut out and let in.
//! * [`lists`], [`show`], [`ssh_config`], [`pages`], [`report`], [`render`]: what is printed.
//! * [`api`]: the same channel, for a bastion; [`machine`]: for a target.

mod agent;
mod api;
mod approve;
mod call;
mod channel;
mod command;
mod connection;
mod crowd;
mod gate;
mod line;
mod listen;
mod lists;
mod machine;
mod pages;
mod peer;
mod prove;
mod render;
mod report;
mod request;
mod review;
mod run;
mod show;
mod shut;
mod sign;
mod ssh_config;
mod watch;

pub use command::read_command;
pub use listen::{CaError, serve, serve_by};
pub use machine::read_machine_command;
