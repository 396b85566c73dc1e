//! `hallpass target`: what a target's sshd needs.
//!
//! * [`setup`]: a script for somebody who sets a target up by hand; [`certify`]: host certificates and join tokens, made
//!   beside the stopped CA.
//! * [`join`]: a machine becomes a target with a token; [`sync`]: what it asks the CA from then on.
//! * [`orders`]: from what the CA says to what sshd reads; [`place`]: where that lies; [`sshd`], [`units`]: what sshd and
//!   systemd read; [`link`]: the way to the CA.

mod certify;
mod join;
mod link;
mod orders;
mod place;
mod setup;
mod sshd;
mod sync;
mod units;

pub(crate) use certify::{certify, invite};
pub(crate) use join::{JoinArgs, join};
pub(crate) use setup::setup;
pub(crate) use sync::{SyncArgs, sync};
