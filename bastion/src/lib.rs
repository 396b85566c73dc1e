//! Carries a session and lets nothing pass unrecorded.
//!
//! The way of a session, in the order of reading:
//!
//! * [`front`]: the listener; [`line`] can cut a connection whatever it waits for.
//! * [`sources`]: how many connections may come from one place.
//! * [`doorman`]: answers one SSH connection of a person: the outer one, and the one inside
//!   `ssh -J`, which arrives through [`jump`].
//! * [`visitor`]: the one place that says whether a certificate lets somebody in.
//! * [`route`]: where a visitor may go, and nowhere else.
//! * [`menu`]: who names no target chooses one, and goes on as if they had.
//! * [`prelude`]: what a client says about a session before it begins.
//! * [`session`]: one session from its request to its signed End; [`begin`](session) asks the CA,
//!   opens the recorder, and only then reaches the target.
//! * [`target`], [`host`]: the connection to the target, and whether it is that target.
//! * [`mask`]: what the person may not see of what a target sends.
//! * [`alarm`]: looks at what a session does, beside its way.
//! * [`relay`]: moves bytes; [`flow`] decides who waits; [`forward`] takes recorded bytes only.
//! * [`files`]: file transfers: [`sftp`], packet by packet, and [`scp`], what `scp -O` runs.
//! * [`destination`], [`permits`], [`places`], [`link`], [`links`], [`gates`], [`spools`], [`agent`]: forwarded connections: where they lead,
//!   whether the certificate gives them, how many at once, their bytes, those that a target opens, their windows, how much waits in all of them, and
//!   what an agent is asked.
//! * [`ca_link`], [`doors`], [`ends`], [`watcher`]: what the bastion asks and tells the CA; [`outbox`]: what it has yet to hear,
//!   in small files on a [`shelf`].
//! * [`keeping`]: removes what is kept no longer; [`bucket`], [`upload`], [`fetch`]: where recordings lie beside this disk, how they
//!   come there and back.
//! * [`review`]: what somebody with a review role may see and end.
//! * [`watch`]: how somebody looks on while a session runs.
//! * [`running`]: the sessions that run, by the grant they run under; [`tally`] counts what has to be over before the bastion may stop.
//!
//! The bastion signs no certificate, trusts nobody on first use, and holds no key that opens a target:
//! each session has a key of its own, in memory, and a certificate that the CA gave for it.

mod agent;
mod alarm;
pub mod bucket;
pub mod ca_link;
mod destination;
mod doorman;
mod doors;
mod ends;
pub mod error;
mod fetch;
mod files;
pub mod flow;
mod forward;
mod front;
mod gates;
pub mod host;
pub mod identity;
mod jump;
mod keeping;
mod last;
mod line;
mod link;
mod links;
mod mask;
mod menu;
mod outbox;
mod permits;
mod places;
mod prelude;
mod relay;
mod review;
pub mod route;
mod running;
mod scp;
mod serve;
mod session;
mod sftp;
mod shelf;
mod site;
mod sources;
mod spools;
mod tally;
pub mod target;
mod upload;
pub mod visitor;
mod watch;
mod watcher;

pub use error::BastionError;
pub use identity::check_identity;
pub use serve::serve;
