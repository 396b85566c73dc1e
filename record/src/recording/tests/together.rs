//! A recording that several recipients open together, and none of them alone.

use super::super::crypt::reissue::{self, Shared};
use super::closed::{cast, checked, locked, output};
use super::*;

const MARKER: &str = "marker-77c1";

/// A finished recording that two of three open: those of [`identity`] 3, 5 and 6.
fn finished() -> (tempfile::TempDir, Sealed) {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let of = [3, 5, 6].map(recipient).to_vec();
    let recipients = Recipients::together(2, of).unwrap();
    let mut recorder = store.create(&header(id(1)), &recipients).unwrap();
    recorder.output(MARKER).unwrap().into_inner();
    let sealed = recorder.finish(EndReason::Exit).unwrap();
    (dir, sealed)
}

fn too_few(error: &LockedError) -> bool {
    matches!(error, LockedError::TooFew { have: 1, need: 2, of } if of.len() == 3)
}

#[test]
fn promise_44_any_two_of_three_open_it_and_nobody_alone() {
    let (dir, _) = finished();
    let path = cast(dir.path());
    for (one, other) in [(3, 5), (3, 6), (5, 6)] {
        let both = identity(one).and(identity(other));
        assert_eq!(output(&path, &both), MARKER.as_bytes());
    }
    for alone in [3, 5, 6] {
        let twice = identity(alone).and(identity(alone));
        assert!(too_few(&locked(&path, &twice)), "{alone}");
        // A stranger beside them adds nothing.
        let and_a_stranger = identity(alone).and(identity(9));
        assert!(too_few(&locked(&path, &and_a_stranger)), "{alone}");
    }
    let stranger = locked(&path, &identity(9));
    assert!(matches!(stranger, LockedError::NotForYou(of) if of.len() == 3));
}

#[test]
fn a_check_needs_none_of_them_and_says_how_many_open_it() {
    let (dir, sealed) = finished();
    let found = checked(&cast(dir.path()), &trusted());
    assert_eq!(found.root, sealed.root);
    let closed = found.closed.unwrap();
    assert_eq!((closed.threshold, closed.recipients.len()), (2, 3));
    assert!(closed.original && !closed.opened);
    let both = identity(3).and(identity(6));
    let found = checked(&cast(dir.path()), &trusted().opening(Arc::new(both)));
    assert!(found.closed.unwrap().opened);
}

#[test]
fn each_hands_on_what_they_hold_and_no_more() {
    let (dir, sealed) = finished();
    let auditor = Recipients::any(vec![recipient(4)]).unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (cast(one.path()), cast(two.path()));

    let shared = reissue::share(&cast(dir.path()), &identity(3), &auditor, &first).unwrap();
    assert_eq!(shared, Shared::Part { held: 1, need: 2 });
    assert!(matches!(
        locked(&first, &identity(4)),
        LockedError::TooFew {
            have: 1,
            need: 2,
            ..
        }
    ));
    // Who handed it on holds it still, and counts once with whoever has it now.
    let same = identity(3).and(identity(4));
    assert!(matches!(
        locked(&first, &same),
        LockedError::TooFew {
            have: 1,
            need: 2,
            ..
        }
    ));

    let shared = reissue::share(&first, &identity(5), &auditor, &second).unwrap();
    assert_eq!(shared, Shared::Part { held: 1, need: 2 });
    assert_eq!(output(&second, &identity(4)), MARKER.as_bytes());
    let found = checked(&second, &trusted());
    assert_eq!(found.root, sealed.root);
    assert!(!found.closed.unwrap().original);
}

#[test]
fn together_they_make_a_copy_for_one_alone() {
    let (dir, _) = finished();
    let other = tempfile::tempdir().unwrap();
    let to = cast(other.path());
    let both = identity(3).and(identity(5));
    let auditor = Recipients::any(vec![recipient(4)]).unwrap();
    let shared = reissue::share(&cast(dir.path()), &both, &auditor, &to).unwrap();
    assert_eq!(shared, Shared::Whole);
    assert_eq!(output(&to, &identity(4)), MARKER.as_bytes());
}

#[test]
fn erased_it_is_opened_by_nobody() {
    let (dir, _) = finished();
    let path = cast(dir.path());
    reissue::erase(&path).unwrap();
    let all = identity(3).and(identity(5)).and(identity(6));
    assert_eq!(locked(&path, &all), LockedError::Erased);
}
