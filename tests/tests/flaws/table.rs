//! The table.

mod ca;
mod relay;

/// One flaw.
pub(super) struct Flaw {
    /// What was wrong.
    pub(super) what: &'static str,
    /// Whose it was, with its public number where it has one.
    pub(super) found: &'static str,
    /// Whose work it is here.
    pub(super) part: Part,
    /// The tests that show that it is not here, each `FILE::NAME`.
    pub(super) tests: &'static [&'static str],
}

#[derive(PartialEq, Eq)]
pub(super) enum Part {
    /// The certificate authority: every row has its tests.
    Ca,
    /// The bastion or the recordings: every row has its tests.
    Relay,
    /// The bastion or the recordings, and this is not tested yet.
    Later(&'static str),
}

/// Every row.
pub(super) fn flaws() -> impl Iterator<Item = &'static Flaw> {
    ca::ROWS.iter().chain(relay::ROWS)
}
