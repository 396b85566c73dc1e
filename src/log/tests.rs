use std::fs;

use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::Authority;
use record::log::Log;
use record::log::tiles::{PublishError, Publisher};
use ssh_key::PrivateKey;
use tempfile::TempDir;

use super::monitor::MonitorArgs;
use super::*;

/// A site's directory with an issuance log.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        crate::init::make(&dir.path().join("site")).unwrap();
        Self(dir)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join("site").join(path)
    }

    /// Issues certificates with the serials behind `last`, at a time that makes their entries what they are.
    fn issue(&self, log: &str, last: u64, count: u64, at: u64) {
        let key = PrivateKey::read_openssh_file(self.at("ca/keys/log")).unwrap();
        let mut log = Log::open(&self.at(log), key).unwrap().log;
        log.publish_as("ca.example.com/hallpass".parse().unwrap())
            .unwrap();
        for serial in last + 1..=last + count {
            let entry = Entry::Issue {
                serial,
                authority: Authority::Host,
                to_be_signed: String::new(),
                request: None,
                session: None,
            };
            log.append(&Line::new(UnixTime::from_secs(at), entry))
                .unwrap();
        }
    }

    fn args(&self, log: &str) -> LogArgs {
        LogArgs {
            dir: self.at(log),
            trust: Some(self.at("allowed_signers")),
        }
    }

    fn watching(&self, log: &str) -> MonitorArgs {
        MonitorArgs {
            log: self.args(log),
            state: self.at("state"),
            witnesses: Witnesses::default(),
            alarm: None,
            sshd: Vec::new(),
            json: false,
        }
    }

    fn monitor(&self, log: &str) -> std::result::Result<String, String> {
        let mut out = Vec::new();
        monitor::run(&self.watching(log), &mut out).map_err(|e| e.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// Publishes a log as tiles.
    fn publish(&self, log: &str, out: &str) -> std::result::Result<(), PublishError> {
        let key = PrivateKey::read_openssh_file(self.at("ca/keys/log")).unwrap();
        let mut publisher = Publisher::open(&self.at(log), &self.at(out), key.public_key())?;
        let advanced = publisher.advance()?;
        publisher.put_checkpoint(&advanced.note)
    }
}

#[test]
fn a_certificate_is_proven_by_its_serial() {
    let site = Site::new();
    site.issue("ca/log", 0, 3, 1);
    let mut out = Vec::new();
    prove(&site.args("ca/log"), 3, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("c2sp.org/tlog-proof@v1\nindex 2\n"),
        "{text}"
    );
    let missing = prove(&site.args("ca/log"), 4, &mut io::sink()).unwrap_err();
    assert!(missing.to_string().contains("no certificate with serial 4"));
}

#[test]
fn a_monitor_lists_what_is_new_and_nothing_twice() {
    let site = Site::new();
    site.issue("ca/log", 0, 2, 1);
    let first = site.monitor("ca/log").unwrap();
    assert!(
        first.contains("host certificate, serial 2\n2 entries;"),
        "{first}"
    );
    let same = site.monitor("ca/log").unwrap();
    assert_eq!(same, "nothing new: the same 2 entries\n");
    site.issue("ca/log", 2, 1, 1);
    let more = site.monitor("ca/log").unwrap();
    assert!(!more.contains("serial 2"), "{more}");
    assert!(
        more.ends_with("serial 3\n1 new, 3 in all; the 2 from before are unchanged\n"),
        "{more}"
    );
}

#[test]
fn promise_09_a_monitor_raises_the_alarm_and_keeps_what_it_saw() {
    let site = Site::new();
    site.issue("ca/log", 0, 4, 1);
    site.monitor("ca/log").unwrap();
    let kept = fs::read(site.at("state")).unwrap();
    // Written anew with the log's own key: each is whole for whoever sees it for the first time.
    site.issue("forked", 0, 6, 2);
    site.issue("shrunk", 0, 3, 1);
    let forked = site.monitor("forked").unwrap_err();
    assert!(forked.contains("ALARM: the log was forked"), "{forked}");
    let shrunk = site.monitor("shrunk").unwrap_err();
    assert!(
        shrunk.contains("ALARM: the log shrank: 3 entries"),
        "{shrunk}"
    );
    assert_eq!(fs::read(site.at("state")).unwrap(), kept);

    // Signed by another key.
    let other = Site::new();
    other.issue("ca/log", 0, 4, 1);
    let mut args = site.watching("ca/log");
    args.log.dir = other.at("ca/log");
    let strange = monitor::run(&args, &mut io::sink()).unwrap_err();
    assert!(
        strange.to_string().contains("signed by an unknown key")
            || strange.to_string().contains("has not signed"),
        "{strange}"
    );
    assert_eq!(fs::read(site.at("state")).unwrap(), kept);

    // What was kept is held against the key as well.
    fs::write(site.at("state"), &kept[..kept.len() / 2]).unwrap();
    let cut = site.monitor("ca/log").unwrap_err();
    assert!(cut.contains("the checkpoint that was kept"), "{cut}");
}

#[test]
fn every_entry_has_words_and_none_of_them_is_invisible() {
    let start = Entry::Start {
        policy: Digest::of(b"policy"),
    };
    assert!(words::told(&start).starts_with("start: the CA serves under policy"));
    let end = Entry::SessionEnd {
        session: config::words::SessionId::from_parts(1_795_312_324_000, [1; 10]),
        reason: "a\u{1b}]0;t\u{7}\n\u{202e}".to_owned(),
        root: Digest::of(b"root"),
        frames: 1,
    };
    let mut out = Vec::new();
    list(
        &[(7, Line::new(UnixTime::from_secs(1), end))],
        false,
        &mut out,
    )
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("a\\u{1b}]0;t\\u{7}\\n\\u{202e}\n"), "{text}");
}

#[test]
fn a_published_log_is_watched_like_the_one_it_was_made_from() {
    let site = Site::new();
    site.issue("ca/log", 0, 4, 1);
    site.publish("ca/log", "out").unwrap();
    site.monitor("ca/log").unwrap();
    site.issue("ca/log", 4, 300, 1);
    site.publish("ca/log", "out").unwrap();
    let more = site.monitor("out").unwrap();
    assert!(more.ends_with("300 new, 304 in all; the 4 from before are unchanged\n"));
    let mut proofs = [Vec::new(), Vec::new()];
    for (log, proof) in ["ca/log", "out"].iter().zip(&mut proofs) {
        prove(&site.args(log), 261, proof).unwrap();
    }
    assert_eq!(proofs[0], proofs[1]);
    site.issue("shrunk", 0, 200, 1);
    site.publish("shrunk", "other").unwrap();
    let shrunk = site.monitor("other").unwrap_err();
    assert!(
        shrunk.contains("ALARM: the log shrank: 200 entries"),
        "{shrunk}"
    );
    site.publish("shrunk", "out").unwrap_err();
}

#[test]
fn the_alarm_is_told_to_a_command() {
    let site = Site::new();
    site.issue("ca/log", 0, 4, 1);
    let told = site.at("told");
    let mut args = site.watching("ca/log");
    args.alarm = Some(format!("cat > '{}'", told.display()));
    monitor::run(&args, &mut io::sink()).unwrap();
    assert!(!told.exists());
    let entries = site.at("ca/log/entries");
    let edited = fs::read_to_string(&entries).unwrap();
    fs::write(&entries, edited.replacen("01Z", "02Z", 1)).unwrap();
    let why = monitor::run(&args, &mut io::sink())
        .unwrap_err()
        .to_string();
    assert!(
        why.starts_with("ALARM: ")
            && why.contains("is not the one that the checkpoint vouches for"),
        "{why}"
    );
    assert_eq!(fs::read_to_string(&told).unwrap(), format!("{why}\n"));
    // A log that cannot be reached is told too: silence is what somebody wants who has taken it.
    args.log.dir = site.at("gone");
    let why = monitor::run(&args, &mut io::sink())
        .unwrap_err()
        .to_string();
    assert_eq!(fs::read_to_string(&told).unwrap(), format!("{why}\n"));
    args.alarm = Some("exit 3".to_owned());
    let why = monitor::run(&args, &mut io::sink())
        .unwrap_err()
        .to_string();
    assert!(why.contains("the alarm could not be raised"), "{why}");
}

#[test]
fn a_checkpoint_without_the_witnesses_that_are_asked_for_is_an_alarm() {
    let site = Site::new();
    site.issue("ca/log", 0, 4, 1);
    let witness: WitnessKey = {
        let key = PrivateKey::read_openssh_file(site.at("ca/keys/host")).unwrap();
        WitnessKey::new("w1".parse().unwrap(), key.public_key()).unwrap()
    };
    let mut args = site.watching("ca/log");
    args.witnesses.keys = vec![witness];
    let why = monitor::run(&args, &mut io::sink())
        .unwrap_err()
        .to_string();
    assert!(why.contains("ALARM: 0 of the 1 witnesses"), "{why}");
    args.witnesses.need = Some(0);
    monitor::run(&args, &mut io::sink()).unwrap();
}

#[test]
fn a_stray_certificate_in_the_log_is_an_alarm_once() {
    let site = Site::new();
    site.issue("ca/log", 0, 2, 1);
    site.monitor("ca/log").unwrap();
    let key = PrivateKey::read_openssh_file(site.at("ca/keys/log")).unwrap();
    let mut log = Log::open(&site.at("ca/log"), key).unwrap().log;
    let stray = Entry::Stray {
        serial: 1,
        key_id: "x".to_owned(),
        certificate: Digest::of(b"x"),
        access: "root@db1.prod".parse().unwrap(),
        bastion: "bastion".parse().unwrap(),
        source: "127.0.0.1".parse().unwrap(),
    };
    log.append(&Line::new(UnixTime::from_secs(1), stray))
        .unwrap();
    drop(log);
    let alarm = site.monitor("ca/log").unwrap_err();
    assert!(
        alarm.contains("ALARM: the log tells of 1 certificates"),
        "{alarm}"
    );
    assert!(site.monitor("ca/log").unwrap().contains("nothing new"));
}
