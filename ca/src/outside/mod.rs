//! What is asked outside of the CA: who is in a group, who is on call, what an automated check says.
//!
//! * [`program`], [`http`]: how somebody is spoken to, within a time and a size; [`ask`]: by whichever of the two.
//! * [`mac`]: that question and answer are what they were, by HMAC-SHA256.
//! * [`groups`]: what a program says of its groups.
//! * [`calendar`], [`oncall`]: who is on call.
//! * [`check`]: the question to an automated check, and its verdict.
//! * [`watch`]: asks again and again while the CA serves; [`once`], [`trial`]: ask once, for `hallpass policy
//!   explain` and `hallpass check`.
//!
//! Whatever is not heard in time, or not understood, is as if nobody were in the group, nobody on call, and the check
//! had not spoken. Nothing here is waited for while the CA decides.

mod ask;
mod calendar;
pub(crate) mod check;
pub(crate) mod groups;
mod http;
mod mac;
pub(crate) mod oncall;
pub(crate) mod once;
mod program;
pub(crate) mod trial;
pub(crate) mod watch;

pub(crate) use ask::{Question, Unheard, put};
pub(crate) use mac::Secret;
