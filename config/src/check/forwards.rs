//! What roles give of forwarding: that it can be enforced.

use std::collections::BTreeSet;

use toml::Spanned;

use super::{Checked, flaw};
use crate::file::SessionAlert;
use crate::forwards::{ForwardRules, Place};
use crate::limits;
use crate::rules::Channel;

type Places = Spanned<Vec<Spanned<String>>>;

/// The rules of a role's forwarded connections. Without the channel they mean nothing, and the channel without them gives
/// nothing.
pub(super) fn forwards(
    to: Option<&Places>,
    listen: Option<&Places>,
    channels: &BTreeSet<Channel>,
    at: std::ops::Range<usize>,
) -> Checked<ForwardRules> {
    let both = [
        (to, Channel::Forward, "forward-to", "[\"localhost:5432\"]"),
        (
            listen,
            Channel::RemoteForward,
            "listen-on",
            "[\"localhost:8080\"]",
        ),
    ];
    for (places, channel, key, example) in both {
        let carried = channels.contains(&channel);
        match places {
            None if carried => {
                return flaw(
                    at,
                    format!("the channel {channel} without {key}"),
                    format!("add {key} = {example}, or [\"*:*\"] for every host and port"),
                );
            }
            Some(places) if !carried => {
                return flaw(
                    places.span(),
                    format!("{key} without the channel {channel}"),
                    format!("add \"{channel}\" to channels, or remove {key}"),
                );
            }
            _ => {}
        }
    }
    Ok(ForwardRules {
        to: places(to, "forward-to")?,
        listen: places(listen, "listen-on")?,
    })
}

/// Masks are looked for in what sessions show, and not in what is forwarded.
pub(super) fn nothing_unmasked(
    mask: std::ops::Range<usize>,
    channels: &BTreeSet<Channel>,
) -> Checked<()> {
    match unseen(channels) {
        Some(channel) => flaw(
            mask,
            format!("mask and the channel {channel}, of which nothing would be masked"),
            "make two roles of it",
        ),
        None => Ok(()),
    }
}

/// What alerts count is what sessions show and transfer, and not what is forwarded.
pub(super) fn nothing_uncounted(
    alerts: &[Spanned<SessionAlert>],
    channels: &BTreeSet<Channel>,
) -> Checked<()> {
    let counts =
        alerts
            .iter()
            .map(Spanned::get_ref)
            .find_map(|alert| match (&alert.rate, &alert.volume) {
                (Some(rate), _) => Some(("rate", rate.span())),
                (None, volume) => volume.as_ref().map(|volume| ("volume", volume.span())),
            });
    match (counts, unseen(channels)) {
        (Some((key, at)), Some(channel)) => flaw(
            at,
            format!(
                "an alert of a {key} and the channel {channel}, of which nothing would be counted"
            ),
            "make two roles of it; largest-session bounds what is forwarded too",
        ),
        _ => Ok(()),
    }
}

/// A channel whose bytes no session shows, and that may carry any.
fn unseen(channels: &BTreeSet<Channel>) -> Option<&Channel> {
    let forwards = [Channel::Forward, Channel::RemoteForward, Channel::X11];
    channels.iter().find(|one| forwards.contains(one))
}

fn places(given: Option<&Places>, key: &str) -> Checked<Vec<Place>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let count = given.get_ref().len();
    if count == 0 || count > limits::FORWARD_PLACES {
        return flaw(
            given.span(),
            format!("{key} names {count} places"),
            format!("name 1 to {}", limits::FORWARD_PLACES),
        );
    }
    let mut places = Vec::new();
    for text in given.get_ref() {
        match text.get_ref().parse::<Place>() {
            Ok(place) => places.push(place),
            Err(e) => {
                return flaw(
                    text.span(),
                    e.to_string(),
                    "write it like localhost:5432, 10.0.0.0/8:443, *:80-90, /run/app.sock or /run/app/*",
                );
            }
        }
    }
    Ok(places)
}
