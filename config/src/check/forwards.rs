//! What roles give of forwarding: that it can be enforced.

use std::collections::BTreeSet;

use toml::Spanned;

use super::{Checked, flaw};
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
    let forwards = [Channel::Forward, Channel::RemoteForward, Channel::X11];
    match forwards.iter().find(|one| channels.contains(one)) {
        Some(channel) => flaw(
            mask,
            format!("mask and the channel {channel}, of which nothing would be masked"),
            "make two roles of it",
        ),
        None => Ok(()),
    }
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
