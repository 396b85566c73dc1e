//! What a [`Desk`](super::Desk) answers, by who asks.

mod bastions;
mod people;
mod reviewers;
