//! The certificate authority: turns an approved request into one logged certificate.
//!
//! In the order in which a request goes:
//!
//! * [`policy`]: who may have what, and who has to agree; pure.
//! * [`desk`]: one writer for every decision; what people and bastions may ask of it.
//! * [`outside`]: groups from a program, who is on call, and automated checks: asked while nobody waits for it.
//! * [`cert`], [`lint`], [`issue`]: from what the policy gave to the bytes of a certificate; the same bytes read
//!   again and held against it; logged, and only then signed.
//! * [`journal`]: where lines become durable, and the proof of it.
//! * [`state`], [`store`]: what follows from the issuance log, and where it is looked up.
//! * [`history`]: what the log says of a person who asks; pure.
//! * [`glass`]: break-glass after the fact: quotas and debts; pure.
//! * [`publish`]: the log as tiles, and its witnesses, behind each batch.
//! * [`alert`]: who is told at once of what must not wait.
//! * [`report`]: who asked, got, used and never used what; pure.
//! * [`host`]: host certificates of targets, made by hand.
//! * [`front`]: the SSH server that people and bastions meet; it decides nothing.
//! * [`keys`]: the four certificate authorities, the log key and the CA's own host key; [`signer`]: what signs with them.

mod alert;
mod cert;
pub mod desk;
mod front;
mod glass;
mod history;
pub mod host;
mod issue;
mod journal;
pub mod keys;
mod lint;
mod outside;
pub mod policy;
mod publish;
#[cfg(test)]
mod regress;
mod report;
mod ring;
mod signer;
mod state;
mod store;
#[cfg(test)]
mod testing;
mod warrant;
mod wire;

pub use desk::{Desk, DeskError, rebuild};
pub use front::{CaError, read_command, read_machine_command, serve, serve_by};
pub use keys::rotate;
pub use keys::{KeysError, check_keys, create_key, init_keys, log_anchors, public_half};
pub use outside::once::{Once, once};
pub use outside::trial::{Heard, TrialError, trial};
pub use ring::{Ring, RingKey, Standing as KeyStanding, believed, ring};
pub use signer::typed;
pub use warrant::{Auditor, Judged, Unbelievable, Unwarranted};
