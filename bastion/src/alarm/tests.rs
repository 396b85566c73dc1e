use std::fs;

use super::*;
use crate::doorman::tests::House;

#[test]
fn one_byte_past_what_may_wait_is_not_looked_at_and_nobody_waits() {
    let (out, mut seen) = mpsc::unbounded_channel();
    let alarm = Alarm {
        out,
        counts: Arc::default(),
        claim: Arc::default(),
        screen: true,
        typed: false,
    };
    let most = limits::ALARM_WAITING - limits::ITEM_BYTES;
    alarm.output(&Bytes::from(vec![0; most]));
    assert!(!alarm.counts.lost.load(Ordering::Acquire));
    alarm.output(&Bytes::new());
    assert!(alarm.counts.lost.load(Ordering::Acquire), "one past");
    assert!(seen.try_recv().is_ok());
    assert!(seen.try_recv().is_err());
    alarm.input(&Bytes::from_static(b"x"));
    assert!(seen.try_recv().is_err(), "nothing is held against it");
}

#[tokio::test]
async fn what_is_found_after_the_end_of_a_session_is_told_as_ending_nothing() {
    for over in [false, true] {
        let house = House::new();
        let (teller, mut news) = mpsc::unbounded_channel();
        let much = Alert {
            name: "much".parse().unwrap(),
            on: Trigger::Volume(1),
            kill: true,
        };
        let subject = Subject {
            session: SessionId::from_parts(1, [7; 10]),
            alerts: vec![much],
            terminal: None,
            input: false,
        };
        let alarm = Alarm::watch(&house.site, subject, teller).unwrap();
        let claim = alarm.claim();
        if over {
            assert_eq!(claim.over(), None);
        }
        alarm.passed(2);
        drop(alarm);
        let Some(News::Alert { name, ends, .. }) = news.recv().await else {
            panic!("nothing was told");
        };
        assert_eq!((name.as_str(), ends), ("much", !over));
        assert_eq!(claim.over(), (!over).then_some(name));
        let mut kept = fs::read_dir(house.dir.path().join("alerts")).unwrap();
        let kept = fs::read_to_string(kept.next().unwrap().unwrap().path()).unwrap();
        assert!(kept.contains(&format!("\"ended\":{}", !over)), "{kept}");
    }
}
