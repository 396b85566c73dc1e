//! The CA's SSH server in this process, against the real `ssh`, `ssh-agent` and `ssh-keygen`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod door;
mod people;
mod site;
