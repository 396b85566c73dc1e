//! A throw-away world for tests and for the demo: a certificate authority, a bastion, real
//! `sshd`s as targets, and people with keys in real agents, all on loopback and in one
//! temporary directory.
//!
//! Nothing here is imitated. The programs are the ones that people use, found on `PATH`, and
//! the `hallpass` that was just built; where one is missing, the failure says what to run.
//!
//! * [`programs`] finds the programs.
//! * [`process`] runs them, with a time limit on everything, and ends each by its own id.
//! * [`ports`] finds free loopback ports.
//! * [`keys`] makes keys and certificates with the real `ssh-keygen`.
//! * [`chaos`] is a network that delays, cuts and corrupts.
//! * [`pager`] is a program that takes alerts.
//! * [`person`] is somebody with a key, an agent and an ssh configuration.
//! * [`target`] is a real `sshd` that trusts the session CA.
//! * [`watch`]: those who watch the issuance log.
//! * [`fresh`] is a machine that becomes a target by itself.
//! * [`inject`] makes system calls of a running program fail.
//! * [`ahead`] lets a program's clock run ahead.
//! * [`ring`] watches the CA's keys follow one another.
//! * [`s3`] is a store of objects.
//! * [`world`] puts them together, and [`access`] is what people do in it most.

pub mod access;
pub mod ahead;
pub mod chaos;
pub mod failure;
pub mod fresh;
pub mod inject;
pub mod keys;
pub mod pager;
pub mod person;
pub mod ports;
pub mod process;
pub mod programs;
pub mod ring;
pub mod s3;
pub mod target;
pub mod watch;
pub mod world;

pub use failure::{Failure, Result};
pub use pager::Pager;
pub use person::Person;
pub use process::{Live, Output};
pub use world::World;
