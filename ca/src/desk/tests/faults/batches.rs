//! Operations that become durable together: what fails answers none of them.

use super::*;

/// More than one batch takes.
const CROWD: u64 = 130;

/// So many requests at once, which come while the first batch is written: what became of each, and how many lines
/// each batch had.
async fn crowd(
    world: &World,
    fault: Fault,
    signed: &Signed,
    defect: bool,
) -> (Vec<Result<Issued, Refused>>, Vec<usize>) {
    let (go, gate) = std::sync::mpsc::channel();
    let gate = Gate {
        open: Some(gate),
        batches: Arc::default(),
    };
    let batches = gate.batches.clone();
    let desk = gated(world, fault, none(), signed, gate).unwrap();
    let ask_one = |n: u64| {
        let desk = desk.clone();
        async move {
            if defect && n == 9 {
                let defect = |_: &mut Writer| -> Decided<()> { panic!("a defect") };
                desk.run(defect).await?;
            }
            let alice = caller("alice", "alice");
            let (_, issued) = desk.obtain(&alice, ask("viewer@db1.prod")).await?;
            Ok(issued.unwrap())
        }
    };
    let crowd: Vec<_> = (0..CROWD).map(|n| tokio::spawn(ask_one(n))).collect();
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    go.send(()).unwrap();
    let mut done = Vec::new();
    for one in crowd {
        done.push(one.await.unwrap());
    }
    drop(desk);
    let batches = batches.lock().unwrap().clone();
    (done, batches)
}

#[tokio::test]
async fn many_operations_become_durable_with_one_sync() {
    let world = World::new();
    let signed = Signed::default();
    let (done, batches) = crowd(&world, none(), &signed, false).await;
    let mut serials: Vec<u64> = done
        .iter()
        .map(|one| one.as_ref().unwrap().serial)
        .collect();
    serials.sort_unstable();
    assert_eq!(serials, (1..=CROWD).collect::<Vec<_>>());
    // A request, its grant and its intent each, after the three lines of the start.
    assert_eq!(batches.iter().sum::<usize>() as u64, 3 + 3 * CROWD);
    assert!(batches.len() <= 4, "{batches:?}");
    assert!(
        batches
            .iter()
            .all(|lines| *lines <= limits::LOG_BATCH_LINES)
    );
    assert_eq!(signed.lock().unwrap().len() as u64, CROWD);
}

#[tokio::test]
async fn promise_22_of_a_batch_that_fails_nothing_is_answered() {
    for happened in [false, true] {
        for n in [1, 2] {
            let world = World::new();
            let signed = Signed::default();
            let fault = Fault {
                left: Some(n),
                happened,
            };
            let (done, batches) = crowd(&world, fault, &signed, false).await;
            assert_eq!(batches.len(), n + 1, "nothing is tried again");
            let given = done.iter().filter(|one| one.is_ok()).count();
            let answered: usize = batches[1..n].iter().sum();
            assert_eq!(given, answered / 3, "{batches:?}");
            let no = done.iter().filter_map(|one| one.as_ref().err());
            for refused in no {
                assert!(matches!(refused, Refused::Unavailable(_)), "{refused:?}");
            }
            assert_eq!(signed.lock().unwrap().len(), given);
            // And a restart goes on from what the log says.
            asked(&world.open()).await;
        }
    }
}

#[tokio::test]
async fn promise_22_a_defect_in_one_operation_answers_none_of_its_batch() {
    let world = World::new();
    let signed = Signed::default();
    let (done, batches) = crowd(&world, none(), &signed, true).await;
    let given = done.iter().filter(|one| one.is_ok()).count();
    assert_eq!(batches.iter().sum::<usize>(), 3 + 3 * given);
    assert!(
        given < 9,
        "what came before the defect in its batch is told so too: {given}"
    );
    assert_eq!(signed.lock().unwrap().len(), given);
}

#[tokio::test]
async fn an_operation_writes_a_bounded_number_of_lines() {
    let world = World::new();
    let desk = world.open();
    let many = |count: usize| {
        move |writer: &mut Writer| -> Decided<()> {
            let policy = Digest::of(b"x");
            for _ in 0..count {
                writer.commit(Entry::Start { policy })?;
            }
            Ok(Answer::of(()))
        }
    };
    let most = limits::LOG_OPERATION_LINES;
    assert_eq!(desk.run(many(most)).await, Ok(()));
    let refused = desk.run(many(most + 1)).await;
    assert!(
        matches!(refused, Err(Refused::Unavailable(_))),
        "{refused:?}"
    );
    asked(&desk).await;
}
