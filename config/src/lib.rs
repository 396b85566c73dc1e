//! The words and the rules of Hallpass.
//!
//! * [`words`]: the names that everything else is built of. Each is parsed once, at the
//!   edge; past it no bare string stands for a person, a target or a login.
//! * [`limits`]: every bound of the system, each with its reason.
//! * [`file`]: the shape of `hallpass.toml`, as somebody types it.
//! * [`rules`]: the configuration after every check: what the programs run on.
//! * [`outside`]: the programs, calendars and services that are asked, and how long an answer is good.
//! * [`keys`]: where the CA's private keys are.
//! * [`files`]: what a role gives of a target's files.
//! * [`quorum`]: which person counts for which quorum.
//! * [`hours`]: when a role is given; [`command`]: commands that a shell reads as they are written.
//! * [`half_open`]: who may stand at a door without having logged in.
//! * [`terms`], [`pattern`]: on which terms a session runs, and the patterns in them.
//! * [`recipient`], [`recipients`]: who may open a sealed recording, alone or together; [`retention`]: how long it is kept;
//!   [`bucket`]: where else.
//! * [`duration`], [`cidr`]: durations and address blocks, as people write them.
//! * [`sample`]: the file that a new installation begins with.
//! * [`error`]: what is wrong with a configuration, with its line and a hint.
//!
//! This crate depends on nothing of ours, does no input or output but reading the one
//! file it is asked to, and decides nothing about a single request.

pub mod bucket;
mod check;
pub mod cidr;
pub mod command;
pub mod duration;
pub mod error;
mod file;
pub mod files;
pub mod forwards;
pub mod half_open;
pub mod hours;
pub mod keys;
pub mod limits;
pub mod outside;
pub mod pattern;
pub mod quorum;
pub mod recipient;
pub mod recipients;
pub mod retention;
pub mod rules;
pub mod sample;
pub mod span;
pub mod terms;
pub mod words;

pub use error::ConfigError;
pub use rules::Config;
