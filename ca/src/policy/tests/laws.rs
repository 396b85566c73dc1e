//! What holds of every policy with hours, numbers of live grants and commands, and of every history.

use config::command::Pattern;
use config::hours::{Hours, Window};

use super::*;

prop_compose! {
    fn limits()(
        live in prop::option::of(1_u32..4),
        window in prop::option::of((
            prop::sample::select(vec!["UTC", "Europe/Zurich", "America/New_York"]),
            prop::sample::select(vec!["mon-fri", "sat-sun", "sun"]),
            prop::sample::select(vec![("00:00", "24:00"), ("08:00", "18:00"), ("22:00", "06:00"), ("02:00", "03:10")]),
        )),
        any_time in any::<bool>(),
        commands in any::<bool>(),
    ) -> (Option<u32>, Option<Hours>, bool, Vec<Pattern>) {
        let hours = window.and_then(|(zone, days, (from, to))| {
            Hours::of(vec![Window::read(zone, Some(&[days]), from, to).unwrap()])
        });
        let words = ["systemctl", "status", "{unit}"].map(str::to_owned);
        let commands = if commands { vec![Pattern::read(&words).unwrap()] } else { Vec::new() };
        (live, hours, any_time, commands)
    }
}

/// The rules of the other properties, each role limited so.
fn limited(
    (live, hours, any_time, commands): (Option<u32>, Option<Hours>, bool, Vec<Pattern>),
) -> Config {
    let mut config = rules().clone();
    for role in config.roles.values_mut() {
        role.live = live;
        role.hours.clone_from(&hours);
        if role.command.is_none() {
            role.commands.clone_from(&commands);
        }
        if let Some(terms) = &mut role.break_glass {
            terms.any_time = any_time;
        }
    }
    config
}

fn moved(request: &Request, now: UnixTime) -> Request {
    Request {
        asked: now,
        expires: now.after(limits::REQUEST_OPEN),
        ..request.clone()
    }
}

fn ran(request: &Request, running: u32) -> History {
    let mut history = History::default();
    history.running.insert(request.role.clone(), running);
    history
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Nothing is granted past a role's number, outside of its hours, or beyond them; and nothing without a word that
    /// the role does not give at once.
    #[test]
    fn limits_are_never_exceeded(
        limits in limits(),
        request in requests(),
        by in approvals(),
        running in 0_u32..5,
        later in 0_u64..8 * 24 * 3600,
    ) {
        let config = limited(limits);
        let (now, request) = (at(later), moved(&request, at(later)));
        let history = ran(&request, running);
        let asking = Asking { history: &history, ..asking(&config, &request, &by, None, now) };
        if let Decision::Granted { until, approved_by } = decide(&asking) {
            let role = &config.roles[&request.role];
            prop_assert!(role.live.is_none_or(|live| running < live));
            prop_assert!(until > now && until.since(now) <= request.life().min(role.longest));
            prop_assert!(!request.break_glass || role.break_glass.is_some());
            if let Some(hours) = role.hours_for(request.break_glass) {
                let inside = (now.secs()..until.secs()).step_by(60);
                prop_assert!(inside.chain([until.secs() - 1]).all(|at| hours.is_open(at)));
            }
            let command = request.command.as_ref().map(Command::as_str);
            prop_assert!(role.takes(command));
            let at_once = command.is_some_and(|command| role.preapproves(command));
            prop_assert!(!approved_by.is_empty() || role.granted_at_once() || request.break_glass || at_once);
        }
    }

    /// More approvals turn no yes into less, whatever else limits the role.
    #[test]
    fn approvals_only_ever_help_within_limits(
        limits in limits(),
        request in requests(),
        (by, more) in (approvals(), approvals()),
        running in 0_u32..3,
        later in 0_u64..8 * 24 * 3600,
    ) {
        let config = limited(limits);
        let (now, request) = (at(later), moved(&request, at(later)));
        let history = ran(&request, running);
        let all: Vec<_> = by.iter().chain(&more).cloned().collect();
        let ask = |by| decide(&Asking { history: &history, ..asking(&config, &request, by, None, now) });
        if let Decision::Granted { until, .. } = ask(&by) {
            let kept = matches!(ask(&all), Decision::Granted { until: after, .. } if after == until);
            prop_assert!(kept);
        }
    }

    /// A policy with hours and a number gives nothing that the same one without them does not, and never for longer.
    #[test]
    fn limits_only_ever_narrow(
        (live, hours, any_time, _) in limits(),
        request in requests(),
        by in approvals(),
        running in 0_u32..3,
        later in 0_u64..8 * 24 * 3600,
    ) {
        let narrow = limited((live, hours, any_time, Vec::new()));
        let (now, request) = (at(later), moved(&request, at(later)));
        let history = ran(&request, running);
        let ask = |config| decide(&Asking { history: &history, ..asking(config, &request, &by, None, now) });
        match (ask(&narrow), ask(rules())) {
            (Decision::Granted { until, approved_by }, Decision::Granted { until: wide, approved_by: same }) => {
                prop_assert!(until <= wide);
                prop_assert_eq!(approved_by, same);
            }
            (Decision::Granted { .. }, other) => prop_assert!(false, "only the narrow one gives: {other:?}"),
            (Decision::Needs(needs), wide) => prop_assert_eq!(Decision::Needs(needs), wide),
            _ => {}
        }
    }
}
