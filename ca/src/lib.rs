//! The certificate authority: turns an approved request into one logged certificate.
//!
//! In the order in which a request goes:
//!
//! * [`desk`]: one writer for every decision; what people and bastions may ask of it.
//! * [`front`]: the SSH server that people and bastions meet; it decides nothing.
//! * [`keys`]: the four certificate authorities, the log key and the CA's own host key, as files.

pub mod desk;
mod front;
pub mod keys;

pub use desk::{Desk, DeskError};
pub use front::{CaError, serve};
pub use keys::{KeysError, PublicKeys, init_keys};
