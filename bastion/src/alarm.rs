//! Looks at what a session does for what its role is alerted of, and never stands in its way.
//!
//! The relay hands over what passes without waiting: a copy of the target's bytes, of what is typed if that is recorded, and counts. A
//! task of its own draws the bytes on a terminal of bounded size, and holds what it shows, line by line, against the role's patterns.
//! What waits for it is bounded by [`limits::ALARM_WAITING`]: past that, bytes are not looked at, and that is an alert itself.
//!
//! * [`screen`]: what the person sees, as text.
//! * [`typed`]: lines as they were typed.
//! * [`rate`]: bytes over ten seconds.
//! * [`claim`]: whether one ends its session.
//! * [`told`]: what the CA and the recording hear of one.
//! * [`kept`]: alerts on the disk until the CA has taken them.
//!
//! Each alert is told once in a session. If it says so, it ends the session, which hears its name.

mod claim;
pub(crate) mod kept;
mod rate;
mod screen;
mod told;
mod typed;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use config::limits;
use config::terms::{Alert, Trigger};
use config::words::SessionId;
use record::entry::Sign;
use record::recording::Size;
use regex_automata::meta::Regex;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::relay::News;
use crate::site::Site;
pub(crate) use claim::Claim;
use rate::Rate;
use screen::Shown;
pub(crate) use told::{mark, report};
use typed::Typed;

/// How often bytes are counted.
const TICK: Duration = Duration::from_secs(1);

/// Bytes that are drawn at once, on a thread where that may take a moment.
const AT_ONCE: usize = 256 << 10;

/// How long it rests after it has drawn less than that: a screen is looked at fifty times a second at most.
const REST: Duration = Duration::from_millis(20);

/// Takes what passes in a session, for whoever looks at it.
#[derive(Debug)]
pub(crate) struct Alarm {
    out: mpsc::UnboundedSender<Seen>,
    counts: Arc<Counts>,
    claim: Arc<Claim>,
    /// Something is held against what the target shows.
    screen: bool,
    /// Something is held against what is typed.
    typed: bool,
}

/// What was seen.
#[derive(Debug)]
enum Seen {
    Output(Bytes),
    Typed(Bytes),
    Resized(Size),
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes that wait to be looked at.
    waiting: AtomicUsize,
    /// Some were not taken.
    lost: AtomicBool,
    /// Bytes that passed, both ways.
    passed: AtomicU64,
}

/// What a session is looked at with.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) session: SessionId,
    pub(crate) alerts: Vec<Alert>,
    /// The terminal's size, if there is one.
    pub(crate) terminal: Option<Size>,
    /// Whether what is typed is recorded.
    pub(crate) input: bool,
}

impl Alarm {
    /// Looks at a session from now on; none if its role is alerted of nothing that happens in one.
    pub(crate) fn watch(
        site: &Arc<Site>,
        subject: Subject,
        teller: mpsc::UnboundedSender<News>,
    ) -> Option<Self> {
        let has = |what: fn(&Trigger) -> bool| subject.alerts.iter().any(|alert| what(&alert.on));
        let screen = has(|on| matches!(on, Trigger::Screen(_)));
        let typed = has(|on| matches!(on, Trigger::Command(_))) && subject.input;
        let counted = has(|on| matches!(on, Trigger::Rate(_) | Trigger::Volume(_)));
        if !screen && !typed && !counted {
            return None;
        }
        let (out, seen) = mpsc::unbounded_channel();
        let counts = Arc::<Counts>::default();
        let claim = Arc::<Claim>::default();
        let looking = Looking {
            site: Arc::clone(site),
            counts: Arc::clone(&counts),
            claim: Arc::clone(&claim),
            shown: Some(Shown::new(subject.terminal)),
            blind: false,
            typed: Typed::default(),
            rate: Rate::default(),
            told: BTreeSet::new(),
            patterns: patterns(&subject.alerts),
            subject,
            teller,
        };
        // The bastion does not stop before what was seen is told.
        let counted = site.running.count();
        tokio::spawn(async move {
            looking.run(seen).await;
            drop(counted);
        });
        Some(Self {
            out,
            counts,
            claim,
            screen,
            typed,
        })
    }

    /// What says whether an alert ends the session.
    pub(crate) fn claim(&self) -> Arc<Claim> {
        Arc::clone(&self.claim)
    }

    /// Bytes that the person is shown.
    pub(crate) fn output(&self, bytes: &Bytes) {
        if self.screen {
            self.hand(bytes.len(), || Seen::Output(bytes.clone()));
        }
    }

    /// Whether it looks at the screen, after each of the target's messages: one may erase what the one before has drawn.
    pub(crate) const fn looks_at_each(&self) -> bool {
        self.screen
    }

    /// Bytes that the person sends.
    pub(crate) fn input(&self, bytes: &Bytes) {
        if self.typed {
            self.hand(bytes.len(), || Seen::Typed(bytes.clone()));
        }
    }

    /// The person's terminal has a new size.
    pub(crate) fn resized(&self, size: Size) {
        if self.screen {
            self.hand(limits::ITEM_BYTES, || Seen::Resized(size));
        }
    }

    /// So many bytes pass, one way or the other.
    pub(crate) fn passed(&self, bytes: usize) {
        self.counts
            .passed
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// One that nobody listens to.
    #[cfg(test)]
    pub(crate) fn of(screen: bool) -> Self {
        let (out, _) = mpsc::unbounded_channel();
        Self {
            out,
            counts: Arc::default(),
            claim: Arc::default(),
            screen,
            typed: true,
        }
    }

    fn hand(&self, bytes: usize, seen: impl FnOnce() -> Seen) {
        let weight = bytes + limits::ITEM_BYTES;
        let before = self.counts.waiting.fetch_add(weight, Ordering::AcqRel);
        if before + weight > limits::ALARM_WAITING {
            self.counts.waiting.fetch_sub(weight, Ordering::AcqRel);
            self.counts.lost.store(true, Ordering::Release);
        } else {
            // Whoever looks is gone only with the bastion.
            let _ = self.out.send(seen());
        }
    }
}

/// The alerts that a command is one of, before it runs.
pub(crate) fn of_command(alerts: &[Alert], command: &str) -> Vec<Alert> {
    let hit = |alert: &&Alert| match &alert.on {
        Trigger::Command(pattern) => pattern
            .regex()
            // One that does not compile any more was taken when the file was read: rather one alert too many.
            .map_or(true, |regex| regex.is_match(command.as_bytes())),
        _ => false,
    };
    alerts.iter().filter(hit).cloned().collect()
}

/// The pattern of each alert that has one, by its place.
fn patterns(alerts: &[Alert]) -> Vec<Option<Regex>> {
    let pattern = |alert: &Alert| match &alert.on {
        Trigger::Command(pattern) | Trigger::Screen(pattern) => pattern.regex().ok(),
        Trigger::Rate(_) | Trigger::Volume(_) => None,
    };
    alerts.iter().map(pattern).collect()
}

struct Looking {
    site: Arc<Site>,
    subject: Subject,
    counts: Arc<Counts>,
    claim: Arc<Claim>,
    patterns: Vec<Option<Regex>>,
    /// None while it is drawn on, and after that failed.
    shown: Option<Shown>,
    typed: Typed,
    rate: Rate,
    /// The alerts that were told, by their places.
    told: BTreeSet<usize>,
    /// That bytes were not looked at was told.
    blind: bool,
    teller: mpsc::UnboundedSender<News>,
}

impl Looking {
    async fn run(mut self, mut seen: mpsc::UnboundedReceiver<Seen>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                first = seen.recv() => match first {
                    Some(first) => self.look(first, &mut seen).await,
                    None => break,
                },
                _ = tick.tick() => self.count().await,
            }
        }
        self.count().await;
    }

    /// Looks at what was seen, and at what waits behind it.
    async fn look(&mut self, first: Seen, more: &mut mpsc::UnboundedReceiver<Seen>) {
        let (mut next, mut bytes) = (Some(first), 0);
        let (mut shown, mut lines) = (Vec::new(), Vec::new());
        while let Some(seen) = next.take() {
            let weight = seen.bytes();
            bytes += weight;
            self.counts
                .waiting
                .fetch_sub(weight + limits::ITEM_BYTES, Ordering::AcqRel);
            match seen {
                Seen::Typed(typed) => lines.extend(self.typed.take(&typed)),
                other => shown.push(other),
            }
            if bytes < AT_ONCE {
                next = more.try_recv().ok();
            }
        }
        let typed = self.patterns(|on| matches!(on, Trigger::Command(_)));
        let hit = |pattern: &Regex| lines.iter().any(|line| pattern.is_match(line.as_bytes()));
        let hits = typed.into_iter().filter(|(_, pattern)| hit(pattern));
        for (at, _) in hits.collect::<Vec<_>>() {
            self.tell(at, Sign::Command).await;
        }
        if !shown.is_empty() {
            for at in self.draw(shown).await {
                self.tell(at, Sign::Screen).await;
            }
            if bytes < AT_ONCE {
                // What comes within the next moment is drawn together.
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// Draws what was shown, and gives the alerts that it is one of.
    async fn draw(&mut self, seen: Vec<Seen>) -> BTreeSet<usize> {
        let Some(mut shown) = self.shown.take() else {
            return BTreeSet::new();
        };
        let patterns = self.patterns(|on| matches!(on, Trigger::Screen(_)));
        let drawing = tokio::task::spawn_blocking(move || {
            let mut hits = BTreeSet::new();
            let mut look = |row: &str| {
                let hit = |(_, pattern): &&(usize, Regex)| pattern.is_match(row.as_bytes());
                hits.extend(patterns.iter().filter(hit).map(|(at, _)| *at));
            };
            for seen in seen {
                match seen {
                    Seen::Output(bytes) => shown.feed(&bytes, &mut look),
                    Seen::Resized(size) => shown.resize(size),
                    Seen::Typed(_) => {}
                }
            }
            (shown, hits)
        });
        match drawing.await {
            Ok((shown, hits)) => {
                self.shown = Some(shown);
                hits
            }
            Err(e) => {
                tracing::error!(session = %self.subject.session, "its screen is not looked at any more: {e}");
                self.counts.lost.store(true, Ordering::Release);
                BTreeSet::new()
            }
        }
    }

    /// The patterns of one kind that nothing was found by yet, with the places of their alerts.
    fn patterns(&self, kind: fn(&Trigger) -> bool) -> Vec<(usize, Regex)> {
        let alerts = self.subject.alerts.iter().zip(&self.patterns).enumerate();
        let own = alerts.filter(|(at, (alert, _))| kind(&alert.on) && !self.told.contains(at));
        own.filter_map(|(at, (_, pattern))| Some((at, pattern.clone()?)))
            .collect()
    }

    /// Holds what has passed against the rates and volumes.
    async fn count(&mut self) {
        let passed = self.counts.passed.load(Ordering::Relaxed);
        let lately = self.rate.tick(passed);
        for at in 0..self.subject.alerts.len() {
            match self.subject.alerts.get(at).map(|alert| &alert.on) {
                Some(Trigger::Rate(most)) if lately > most.saturating_mul(rate::TICKS) => {
                    self.tell(at, Sign::Rate).await;
                }
                Some(Trigger::Volume(most)) if passed > *most => self.tell(at, Sign::Volume).await,
                _ => {}
            }
        }
        if self.counts.lost.swap(false, Ordering::AcqRel) && !self.blind {
            self.blind = true;
            let held = |alert: &Alert| matches!(alert.on, Trigger::Command(_) | Trigger::Screen(_));
            // They were blind together, and one says so for all.
            if let Some(alert) = self.subject.alerts.iter().find(|alert| held(alert)) {
                self.say(alert, Sign::Unwatched, false).await;
            }
        }
    }

    /// Tells of an alert, once.
    async fn tell(&mut self, at: usize, on: Sign) {
        let Some(alert) = self.subject.alerts.get(at) else {
            return;
        };
        if !self.told.insert(at) {
            return;
        }
        let ends = alert.kill && self.claim.ends(&alert.name);
        self.say(alert, on, ends).await;
    }

    /// Tells the disk first, then the session, which puts it into its recording.
    async fn say(&self, alert: &Alert, on: Sign, ends: bool) {
        let report = report(&self.subject.session, alert, on, ends);
        kept::keep(&self.site, report).await;
        // A session that has not waited for it is over, and hears nothing any more.
        let _ = self.teller.send(News::Alert {
            name: alert.name.clone(),
            on,
            ends,
        });
    }
}

impl Seen {
    fn bytes(&self) -> usize {
        match self {
            Self::Output(bytes) | Self::Typed(bytes) => bytes.len(),
            Self::Resized(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
