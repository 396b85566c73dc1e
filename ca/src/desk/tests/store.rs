//! The state store is what the log says, whatever happens to it.

use std::collections::BTreeMap;

use super::*;

/// What the store holds, byte for byte.
fn held(world: &World) -> (Position, BTreeMap<String, Vec<u8>>) {
    let store = Shelf::open(&world.path().join("ca/store")).unwrap();
    let mut rows = BTreeMap::new();
    for prefix in ["request/", "session/", "certificate/"] {
        let all = store.last(prefix, &mut |key, value| {
            rows.insert(key.to_owned(), value.to_vec());
            true
        });
        all.unwrap();
    }
    (store.position().unwrap().unwrap(), rows)
}

/// Somebody else's hand in the index.
fn change_index(store: &Path, change: impl FnOnce(&mut redb::Table<'_, &'static str, (u64, u64)>)) {
    let index = redb::Database::open(store.join("places")).unwrap();
    let write = index.begin_write().unwrap();
    let places = redb::TableDefinition::new("places");
    change(&mut write.open_table(places).unwrap());
    write.commit().unwrap();
}

async fn lived(world: &World) {
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    desk.open_session(&gate(), session_ask(1, &issued.certificate))
        .await
        .unwrap();
    let end = api::SessionEnd {
        session: session(1),
        reason: "exit".to_owned(),
        root: Digest::of(b"root"),
        frames: 1,
    };
    desk.end_session(&gate(), end).await.unwrap();
    desk.give_back(&caller("alice", "alice"), &id)
        .await
        .unwrap();
    let denied = asked(&desk).await;
    let why = "no".parse().unwrap();
    desk.deny(&caller("bob", "bob"), &denied, why)
        .await
        .unwrap();
    asked(&desk).await;
    drop(desk);
    lived_again(world).await;
}

#[tokio::test]
async fn a_rebuilt_store_is_the_one_that_was_lived() {
    let world = World::new();
    lived(&world).await;
    let before = held(&world);
    assert_eq!(before.1.len(), 6, "{:?}", before.1.keys());
    let lines = rebuild(&world.config()).unwrap();
    assert_eq!(lines, before.0.size);
    assert_eq!(held(&world), before);
    std::fs::remove_dir_all(world.path().join("ca/store")).unwrap();
    rebuild(&world.config()).unwrap();
    assert_eq!(held(&world), before);
}

#[tokio::test]
async fn a_store_that_differs_or_does_not_open_is_made_again() {
    let world = World::new();
    lived(&world).await;
    let before = held(&world);
    let store = world.path().join("ca/store");
    let key = before.1.keys().next().unwrap();
    change_index(&store, |places| {
        places.insert(key.as_str(), (0, 10)).unwrap();
    });
    drop(world.open());
    assert_eq!(held(&world).1, before.1);
    // Nor does it know less than the file of rows has.
    change_index(&store, |places| {
        places.remove(key.as_str()).unwrap();
    });
    assert_ne!(held(&world).1, before.1);
    drop(world.open());
    assert_eq!(held(&world).1, before.1);
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::write(&store, "not a store").unwrap();
    drop(world.open());
    assert_eq!(held(&world).1, before.1);
    assert!(world.path().join("ca/store.broken").is_file());
}

#[tokio::test]
async fn a_store_that_is_behind_is_mended_and_one_with_a_row_too_many_made_again() {
    let world = World::new();
    lived(&world).await;
    let store = world.path().join("ca/store");
    let kept = world.path().join("kept");
    let copy = |from: &Path, to: &Path| {
        let done = std::process::Command::new("cp")
            .arg("-r")
            .args([from, to])
            .status();
        assert!(done.unwrap().success());
    };
    copy(&store, &kept);
    // What a crash takes from the end of the store.
    lived_again(&world).await;
    let before = held(&world);
    std::fs::remove_dir_all(&store).unwrap();
    copy(&kept, &store);
    assert!(held(&world).0.size < before.0.size);
    drop(world.open());
    assert_eq!(held(&world).1, before.1);
    change_index(&store, |places| {
        places.insert("session/nobody", (0, 10)).unwrap();
    });
    drop(world.open());
    assert_eq!(held(&world).1, before.1);
    // So is one that tells another story of what is over.
    let rows = std::fs::read_to_string(store.join("rows")).unwrap();
    assert!(rows.contains("alice"));
    std::fs::write(store.join("rows"), rows.replace("alice", "alise")).unwrap();
    assert_ne!(held(&world).1, before.1);
    drop(world.open());
    assert_eq!(held(&world).1, before.1);
    // And one whose rows were cut off.
    std::fs::write(store.join("rows"), &rows[..100]).unwrap();
    drop(world.open());
    assert_eq!(held(&world).1, before.1);
}

async fn lived_again(world: &World) {
    world.clock.pass(Duration::from_secs(2 * 3600));
    let desk = world.open();
    asked(&desk).await;
}
