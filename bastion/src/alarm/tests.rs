use super::*;

#[test]
fn one_byte_past_what_may_wait_is_not_looked_at_and_nobody_waits() {
    let (out, mut seen) = mpsc::unbounded_channel();
    let alarm = Alarm {
        out,
        counts: Arc::default(),
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
