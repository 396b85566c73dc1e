//! What a real desk does is borne out by its log, and gives what was granted.

use super::*;

#[tokio::test]
async fn a_day_of_a_real_desk_is_borne_out_by_its_log() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let alice = caller("alice", "alice");
    desk.collect(&alice, &id).await.unwrap();
    audited(&world).unwrap();
    // Bob's key is not his any more; what he approved with it was approved.
    let key = format!("keys = [\"{}\", ", line("bob"));
    let text = world.text.replace(&key, "keys = [");
    assert_ne!(text, world.text);
    desk.reload(config(world.path(), &text)).await.unwrap();
    desk.collect(&alice, &id).await.unwrap();
    audited(&world).unwrap();
    let lines = world.lines();
    let mut laws = lines.iter().filter_map(|line| match &line.entry {
        Entry::Law { change } => Some(change),
        _ => None,
    });
    let last = laws.next_back().unwrap();
    let [(name, Some(bob))] = last.persons.iter().collect::<Vec<_>>()[..] else {
        panic!("{last:?}");
    };
    assert_eq!((name.as_str(), bob.keys.len()), ("bob", 1));
    assert!(last.roles.is_empty());
}

#[tokio::test]
async fn promise_28_a_certificate_gives_what_was_granted_and_nothing_else() {
    let world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    desk.collect(&caller("alice", "alice"), &id).await.unwrap();
    let mut state = desk.hall.state().clone();
    let certificate = state.certificates.values().next_back().unwrap().clone();
    warrant::judge(&state, &certificate).unwrap();
    let mut host = certificate.clone();
    host.authority = Authority::Host;
    let kind = warrant::judge(&state, &host).unwrap_err().to_string();
    assert!(kind.ends_with("it is of the wrong type"), "{kind}");
    let mut said = |change: &dyn Fn(&mut Case)| {
        let before = state.cases[&id].clone();
        change(state.cases.get_mut(&id).unwrap());
        let why = warrant::judge(&state, &certificate).unwrap_err();
        state.cases.insert(id.clone(), before);
        why.to_string()
    };
    // The signature is over the old text, so each of these is found there first; here approvals are not asked for.
    let free = |case: &mut Case| {
        let grant = case.grant.as_mut().unwrap();
        grant.approved_by.clear();
        grant.basis.as_mut().unwrap().terms.quorums.clear();
    };
    let access = said(&|case| {
        free(case);
        Arc::make_mut(&mut case.request).access = "root@db1.prod".parse().unwrap();
    });
    assert!(access.ends_with("it is for another access"), "{access}");
    let key = said(&|case| {
        free(case);
        let other = crate::testing::public("alice2");
        Arc::make_mut(&mut case.request).key = other.fingerprint(HashAlg::Sha256).to_string();
    });
    assert!(key.ends_with("it is for another key"), "{key}");
    let command = said(&|case| {
        free(case);
        Arc::make_mut(&mut case.request).command = Some("id".parse().unwrap());
    });
    assert!(command.ends_with("it is for another command"), "{command}");
    let own = said(&|case| {
        case.grant.as_mut().unwrap().approved_by = vec!["alice".parse().unwrap()];
    });
    assert!(
        own.ends_with("somebody approved their own request"),
        "{own}"
    );
    let short = said(&|case| {
        free(case);
        let grant = case.grant.as_mut().unwrap();
        grant.until = grant.until.before(Duration::from_secs(1));
    });
    assert!(
        short.ends_with("it is good for longer than the grant"),
        "{short}"
    );
    let covered =
        said(&|case| Arc::make_mut(&mut case.request).reason = "another".parse().unwrap());
    assert!(
        covered.contains("bob's approval: the signature does not belong"),
        "{covered}"
    );
}

/// A desk with a defect certifies a key that never joined, or under another target's name.
#[tokio::test]
async fn a_host_certificate_is_for_the_key_that_the_target_joined_with() {
    let world = World::new();
    let (mut opened, count) = counted(&world);
    let host = |name: &str, key: &str| {
        let (name, key) = (name.to_owned(), crate::testing::public(key));
        move |writer: &mut Writer| -> Decided<String> {
            let plan = Plan {
                authority: Authority::Host,
                subject: key,
                serial: writer.state.next_serial(),
                key_id: format!("hallpass:host:{name}"),
                principals: vec![name],
                after: writer.hall.now(),
                before: writer.hall.now().after(Duration::from_secs(3600)),
                force_command: None,
                source_address: Vec::new(),
                permits: [].into(),
            };
            let intent = writer.issue(plan, None, None)?;
            Ok(Answer::after(move |press| Ok(press.sign(intent)?.line)))
        }
    };
    let refused = Err(Refused::Unavailable(
        "its log does not bear that out".to_owned(),
    ));
    let stranger = batch::alone(&mut opened.writer, host("db1.prod", "host"));
    assert_eq!(stranger, refused);
    let line = line("host");
    let name: TargetName = "db1.prod".parse().unwrap();
    batch::alone(&mut opened.writer, |writer| writer.host(&name, &line)).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let key = batch::alone(&mut opened.writer, host("db1.prod", "another"));
    assert_eq!(key, refused);
    let other = batch::alone(&mut opened.writer, host("db2.prod", "host"));
    assert_eq!(other, refused);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    batch::alone(&mut opened.writer, host("db1.prod", "host")).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

/// The role names another network between the grant and its certificate: the certificate has the one that holds now.
#[tokio::test]
async fn a_certificate_has_the_networks_that_hold_when_it_is_made() {
    let mut world = World::new();
    let role = "[role.db-oncall]\n";
    let from = |block: &str| format!("{role}sources = [\"{block}\"]\n");
    world.text = world.text.replace(role, &from("192.0.2.0/24"));
    let desk = world.open();
    let id = granted(&desk).await;
    world.text = world.text.replace("192.0.2.0/24", "192.0.2.7/32");
    let narrower = config(world.path(), &world.text);
    desk.reload(narrower).await.unwrap();
    let issued = collected(&desk, &id).await;
    let read = ssh_key::Certificate::from_openssh(&issued.certificate).unwrap();
    let source = read.critical_options().get("source-address");
    assert_eq!(source.map(String::as_str), Some("192.0.2.7/32"));
    audited(&world).unwrap();
}

#[tokio::test]
async fn what_was_to_be_proven_was_proven_by_the_log_alone() {
    let world = glass::world("{ verify = true }");
    let desk = world.open();
    let alice = caller("alice", "alice");
    let id = desk.request(&alice, glass::emergency()).await.unwrap().id;
    glass::prove(&desk, &id, 5).await.unwrap();
    desk.collect(&alice, &id).await.unwrap();
    audited(&world).unwrap();
    let mut state = desk.hall.state().clone();
    let certificate = state.certificates.values().next_back().unwrap().clone();
    let text = state.cases[&id].request.text();
    let touched = crate::testing::token_signs("stick", 1, PROOF_NAMESPACE, &text);
    let other = crate::testing::token_signs("other", 5, PROOF_NAMESPACE, &text);
    for (proof, why) in [
        (None, "nobody has proven that it is that person"),
        (Some(touched), "signed without the PIN of the token"),
        (Some(other), "signed by an unknown key, SHA256:"),
    ] {
        state.cases.get_mut(&id).unwrap().proof = proof;
        let said = warrant::judge(&state, &certificate)
            .unwrap_err()
            .to_string();
        assert!(said.contains(why), "{said}");
    }
}
