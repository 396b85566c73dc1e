//! Automated checks at the desk: what they say counts once, and a no is a no.

use super::*;
use crate::desk::outside::Due;
use crate::outside::check::Said;
use record::entry::Verdict;

/// The databases' role needs one of sre, and the ticket check.
fn world() -> World {
    let mut world = World::new();
    let one = "approvals = { count = 1, from = \"sre\" }";
    let both = "approvals = [{ count = 1, from = \"sre\" }, { check = \"ticket\" }]";
    assert!(world.text.contains(one));
    world.text = world.text.replacen(one, both, 1);
    world.text += "\n[check.ticket]\ncommand = [\"/x\"]\nsecret-file = \"s\"\n";
    world.text += "\n[check.other]\ncommand = [\"/x\"]\nsecret-file = \"s\"\n";
    world
}

async fn says(desk: &Desk, id: &RequestId, check: &str, verdict: Verdict) -> Standing {
    let due = Due {
        request: id.clone(),
        check: check.parse().unwrap(),
        text: desk.text(&caller("alice", "alice"), id).unwrap(),
    };
    let reason = "because".parse().unwrap();
    let said = Said { verdict, reason };
    match desk.verdict(&due, said).await {
        Ok(standing) | Err(Refused::Closed(standing)) => standing,
        Err(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn a_check_says_no_and_that_ends_it() {
    let world = world();
    let desk = world.open();
    let id = asked(&desk).await;
    let no = says(&desk, &id, "ticket", Verdict::Deny).await;
    assert!(matches!(no, Standing::Failed { .. }), "{no:?}");
    let late = approve(&desk, &id, "bob", "bob").await;
    assert_eq!(late, Err(Refused::Closed(no.clone())));
    assert_eq!(says(&desk, &id, "ticket", Verdict::Approve).await, no);
}

#[tokio::test]
async fn a_check_s_word_counts_once_and_only_where_it_is_asked() {
    let world = world();
    let desk = world.open();
    let id = asked(&desk).await;
    approve(&desk, &id, "bob", "bob").await.unwrap();
    for (check, verdict) in [
        ("other", Verdict::Approve),
        ("other", Verdict::Deny),
        ("ticket", Verdict::Abstain),
    ] {
        let still = says(&desk, &id, check, verdict).await;
        assert!(matches!(still, Standing::Waiting { .. }), "{still:?}");
    }
    let id = asked(&desk).await;
    let yes = says(&desk, &id, "ticket", Verdict::Approve).await;
    assert!(matches!(yes, Standing::Waiting { .. }), "{yes:?}");
    let no = says(&desk, &id, "ticket", Verdict::Deny).await;
    assert!(matches!(no, Standing::Waiting { .. }), "{no:?}");
    let done = approve(&desk, &id, "bob", "bob").await;
    assert!(matches!(done, Ok(Standing::Granted { .. })), "{done:?}");
}
