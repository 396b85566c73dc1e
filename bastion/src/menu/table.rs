//! One person who chooses, until they have chosen, left, or waited for too long.

use std::io;
use std::time::Duration;

use record::api::reach::Reach;
use russh::ChannelMsg;
use tokio::time::{Instant, sleep_until};

use super::choice::{Choice, Step};
use super::keys::{Key, Keys};
use super::patience::Patience;
use super::screen::Screen;
use super::view::Head;
use super::{Line, Menu, rows};
use crate::prelude::{Prelude, Terminal};
use crate::route::Route;
use crate::session::Client;
use crate::site::Phase;

/// How long a key may take that begins like the escape key.
const ESCAPE: Duration = Duration::from_millis(50);

/// How often the time that is left is drawn again.
const TICK: Duration = Duration::from_secs(1);

/// How it ended.
pub(super) enum Outcome {
    /// With a way to go.
    Go(Route),
    /// The person leaves.
    Left,
    /// Something else ended it, in words for the person.
    Ended(Line),
    /// The person's side is gone, or takes nothing.
    Gone,
}

/// A person in front of the list.
pub(super) struct Table<'a> {
    menu: &'a Menu<'a>,
    choice: Choice,
    person: String,
    keys: Keys,
}

/// What happened while the table waited.
enum Event {
    Said(Option<ChannelMsg>),
    Time,
    Closing,
}

impl<'a> Table<'a> {
    pub(super) fn new(menu: &'a Menu<'a>, reach: &Reach) -> Self {
        Self {
            menu,
            choice: Choice::of(rows(reach)),
            person: reach.person.to_string(),
            keys: Keys::default(),
        }
    }

    /// Shows the list and takes keys. The size of the terminal is kept up to date in what the client has said.
    pub(super) async fn sit(mut self, client: &mut Client, prelude: &mut Prelude) -> Outcome {
        let colours = !prelude
            .environment
            .iter()
            .any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
        let Some(terminal) = &mut prelude.terminal else {
            return Outcome::Left;
        };
        let (mut screen, begin) = match Screen::of(terminal) {
            Ok(begun) => begun,
            Err(e) => return failed(&e),
        };
        if !client.show(begin).await {
            return Outcome::Gone;
        }
        let outcome = self.choose(client, terminal, &mut screen, colours).await;
        if !matches!(outcome, Outcome::Gone) {
            client.show(screen.end()).await;
        }
        outcome
    }

    async fn choose(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal,
        screen: &mut Screen,
        colours: bool,
    ) -> Outcome {
        let site = self.menu.site;
        let mut phase = site.phase.subscribe();
        let left = self.menu.passage.until.secs();
        let left = Duration::from_secs(left.saturating_sub(site.clock.wall().secs()));
        let mut patience = Patience::new(Instant::now(), left);
        let (person, bastion) = (self.person.clone(), site.name.to_string());
        let head = Head {
            person: &person,
            bastion: &bastion,
            colours,
        };
        let (mut news, mut drawn) = (true, Vec::new());
        loop {
            let now = Instant::now();
            self.choice.expire(now);
            if let Some(line) = patience.over(now) {
                return Outcome::Ended(line);
            }
            let clock = self.choice.clock(now);
            if news || clock != drawn {
                let frame = match screen.draw(&mut self.choice, &head, now) {
                    Ok(frame) => frame,
                    Err(e) => return failed(&e),
                };
                if !client.show(frame).await {
                    return Outcome::Gone;
                }
            }
            drawn = clock;
            let tick = if self.keys.waits() { ESCAPE } else { TICK };
            let due = (now + tick).min(patience.due());
            let event = tokio::select! {
                said = client.next() => Event::Said(said),
                () = sleep_until(due) => Event::Time,
                _ = phase.wait_for(|phase| *phase >= Phase::Closing) => Event::Closing,
            };
            news = !matches!(event, Event::Time) || self.keys.waits();
            if let Event::Said(_) = event {
                patience.heard(Instant::now());
            }
            if let Some(outcome) = self.take(client, terminal, screen, event).await {
                return outcome;
            }
        }
    }

    /// Takes what has happened; yields the end if that is one.
    async fn take(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal,
        screen: &mut Screen,
        event: Event,
    ) -> Option<Outcome> {
        match event {
            Event::Closing => Some(Outcome::Ended("this bastion is closing".to_owned())),
            Event::Said(said) => self.said(client, terminal, screen, said).await,
            Event::Time => {
                let key = self.keys.rest()?;
                self.press(client, screen, key).await.0
            }
        }
    }

    /// Takes what the client says.
    async fn said(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal,
        screen: &mut Screen,
        said: Option<ChannelMsg>,
    ) -> Option<Outcome> {
        match said {
            None | Some(ChannelMsg::Close) => Some(Outcome::Gone),
            // Nobody can choose any more.
            Some(ChannelMsg::Eof) => Some(Outcome::Left),
            Some(ChannelMsg::WindowChange {
                col_width,
                row_height,
                pix_width,
                pix_height,
            }) => {
                (terminal.cols, terminal.rows) = (col_width, row_height);
                (terminal.width, terminal.height) = (pix_width, pix_height);
                let resized = screen.resize(col_width, row_height);
                resized.err().map(|e| failed(&e))
            }
            Some(ChannelMsg::Data { mut data }) => {
                while !data.is_empty() {
                    let byte = data.split_to(1);
                    let key = byte.first().and_then(|byte| self.keys.take(*byte));
                    let Some(key) = key else { continue };
                    let (outcome, asked) = self.press(client, screen, key).await;
                    // What was typed behind it is for whoever comes next.
                    if matches!(outcome, Some(Outcome::Go(_))) && !data.is_empty() {
                        client.put_back(data);
                        return outcome;
                    }
                    // Where nobody comes, it was meant for a list that was not yet seen. The CA is asked once at most.
                    if outcome.is_some() || asked {
                        return outcome;
                    }
                }
                None
            }
            Some(_) => None,
        }
    }

    /// Takes a key; yields the end if that is one, and whether somebody was asked for what the key wants.
    async fn press(
        &mut self,
        client: &mut Client,
        screen: &mut Screen,
        key: Key,
    ) -> (Option<Outcome>, bool) {
        let (step, echo) = screen.press(&mut self.choice, key);
        if !echo.is_empty() && !client.show(echo).await {
            return (Some(Outcome::Gone), false);
        }
        match step {
            Step::Stay => (None, false),
            Step::Leave => (Some(Outcome::Left), false),
            Step::Again => (self.again(client).await, true),
            Step::Go => (self.go(client).await, true),
        }
    }

    async fn again(&mut self, client: &mut Client) -> Option<Outcome> {
        match client.while_held(self.menu.reach()).await {
            None => return Some(Outcome::Gone),
            Some(Ok(reach)) => self.choice.renew(rows(&reach)),
            Some(Err(line)) => self.choice.note = Some(line),
        }
        None
    }

    async fn go(&mut self, client: &mut Client) -> Option<Outcome> {
        let row = self.choice.marked()?.clone();
        match client.while_held(self.menu.way(&row)).await {
            None => Some(Outcome::Gone),
            Some(Ok(route)) => Some(Outcome::Go(route)),
            Some(Err(line)) => {
                tracing::info!(source = %self.menu.passage.source, access = %row.grant.access, "not let in by choice: {line}");
                self.choice.note = Some(line);
                None
            }
        }
    }
}

fn failed(e: &io::Error) -> Outcome {
    Outcome::Ended(format!("the list cannot be drawn: {e}"))
}
