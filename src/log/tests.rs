use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::Authority;
use record::log::Log;
use ssh_key::PrivateKey;
use tempfile::TempDir;

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
                authority: Authority::User,
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

    fn monitor(&self, log: &str) -> std::result::Result<String, String> {
        let mut out = Vec::new();
        monitor(&self.args(log), &self.at("state"), &mut out).map_err(|e| e.to_string())?;
        Ok(String::from_utf8(out).unwrap())
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
        first.contains("access certificate, serial 2\n2 entries;"),
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
    let args = LogArgs {
        trust: Some(site.at("allowed_signers")),
        ..other.args("ca/log")
    };
    let strange = monitor(&args, &site.at("state"), &mut io::sink()).unwrap_err();
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
    list(&[(7, Line::new(UnixTime::from_secs(1), end))], &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("a\\u{1b}]0;t\\u{7}\\n\\u{202e}\n"), "{text}");
}
