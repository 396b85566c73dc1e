//! Peers that move bytes through a relay, behind models of russh's connections. Bytes are counted, not carried: nothing
//! here can put them in another order.

mod duplex;
mod shared;

use config::limits;

use super::*;

#[test]
fn one_past_the_spool_ends_the_session_by_name() {
    let (up, down) = (Arc::<Gate>::default(), Arc::<Gate>::default());
    let flow = Flow::new(Arc::clone(&up), Arc::clone(&down));
    down.took(limits::SPOOL_HARD);
    assert_eq!(flow.over(), None);
    down.took(1);
    assert_eq!(flow.over(), Some(Way::Down));
    up.took(limits::SPOOL_HARD + 1);
    assert_eq!(flow.over(), Some(Way::Up));
}

#[test]
fn a_gate_shuts_when_the_spool_is_full_and_opens_when_half_of_it_is_free() {
    let gate = Gate::default();
    gate.took(limits::SPOOL_SOFT - 1);
    assert_eq!((gate.window(), gate.rest(2)), (OPEN, None));
    gate.took(1);
    assert_eq!((gate.window(), gate.rest(2)), (SHUT, Some(TRICKLE)));
    assert_eq!(
        gate.rest(3),
        None,
        "what is left of a window comes at full speed"
    );
    gate.gave(limits::SPOOL_SOFT / 2 - 1);
    assert_eq!(gate.window(), SHUT);
    gate.gave(1);
    assert_eq!(gate.window(), OPEN);
}

#[test]
fn a_target_waits_and_has_a_turn_now_and_then_while_something_is_for_it() {
    let (up, down) = (Arc::<Gate>::default(), Arc::<Gate>::default());
    let mut flow = Flow::new(Arc::clone(&up), Arc::clone(&down));
    down.took(limits::SPOOL_SOFT - 1);
    assert_eq!(flow.take(), Take::Now);
    down.took(1);
    assert_eq!(flow.take(), Take::Not);
    flow.gave_up();
    let soon = Duration::from_micros(14_648);
    assert!(matches!(flow.take(), Take::After(pause) if pause <= soon + soon / 100));
    flow.took_down();
    assert_eq!(flow.take(), Take::Not);
    up.took(1);
    assert!(matches!(flow.take(), Take::After(_)));
    down.took(limits::SPOOL_HARD - limits::SPOOL_SOFT);
    assert_eq!(flow.take(), Take::After(SLOWEST));
}
