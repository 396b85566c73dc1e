use std::sync::Arc;
use std::thread;

use record::clock::{SystemClock, UnixTime};
use record::entry::{Entry, Line};
use record::log::Log;
use record::recording::{EndReason, Header, Kind, OsDisk, RecordingStore, Sealed, Signer};
use record::request::Request;
use record::retention::Rule;
use ssh_key::PrivateKey;
use tempfile::TempDir;

use super::*;

/// A new site with two finished sessions, in its recordings and in its log.
struct Site {
    dir: TempDir,
    sealed: Vec<Sealed>,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        crate::init::make(&dir.path().join("site")).unwrap();
        let mut site = Self {
            dir,
            sealed: Vec::new(),
        };
        let signer = Signer {
            name: "bastion".parse().unwrap(),
            key: site.key("bastion/identity"),
        };
        let clock = Arc::new(SystemClock::new());
        let recordings = site.at("bastion/recordings");
        let (store, _) =
            RecordingStore::open(&recordings, signer, clock, Box::new(OsDisk)).unwrap();
        let mut log = Log::open(&site.at("ca/log"), site.key("ca/keys/log"))
            .unwrap()
            .log;
        for entry in granted() {
            log.append(&Line::new(UnixTime::from_secs(1), entry))
                .unwrap();
        }
        for n in 1..=2 {
            let header = header(n);
            let mut recorder = store
                .create(&header, &config::recipients::Recipients::nobody())
                .unwrap();
            recorder.output("hello").unwrap().into_inner();
            let sealed = recorder.finish(EndReason::Exit).unwrap();
            for entry in entries(&header, &sealed) {
                log.append(&Line::new(UnixTime::from_secs(n.into()), entry))
                    .unwrap();
            }
            site.sealed.push(sealed);
        }
        site
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("site").join(path)
    }

    fn key(&self, path: &str) -> PrivateKey {
        PrivateKey::read_openssh_file(self.at(path)).unwrap()
    }

    fn recording(&self, n: usize) -> PathBuf {
        self.at(&format!(
            "bastion/recordings/{}.cast.zst",
            self.sealed[n].session
        ))
    }

    /// What `hallpass verify` finds there: how many things are good and bad, and what it says.
    fn verify(&self, paths: &[&str]) -> (u64, u64, String) {
        let args = VerifyArgs {
            paths: paths.iter().map(|path| self.at(path)).collect(),
            trust: None,
            json: false,
            keys: KeyArgs::default(),
        };
        let mut out = Vec::new();
        let found = examine(&args, &mut out, &mut io::sink()).unwrap();
        (found.good, found.bad, String::from_utf8(out).unwrap())
    }
}

const LOG: &str = "ca/log";
const RECORDINGS: &str = "bastion/recordings";

fn header(n: u8) -> Header {
    Header {
        session: SessionId::from_parts(1_795_312_324_000, [n; 10]),
        person: "alice".parse().unwrap(),
        access: "root@db1.prod".parse().unwrap(),
        role: "db-oncall".parse().unwrap(),
        request: "7F3K-9QMD".parse().unwrap(),
        serial: n.into(),
        bastion: "bastion".parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
        client: "SSH-2.0-OpenSSH_9.2".to_owned(),
        kind: Kind::Shell,
        command: None,
        forced: None,
        term: None,
        environment: Vec::new(),
        record_input: false,
        started_ms: 1_795_312_324_000,
        original: None,
    }
}

/// What the sessions rest on.
fn granted() -> [Entry; 2] {
    let header = header(1);
    let policy = Digest::of(b"policy");
    let request = Request {
        id: header.request.clone(),
        person: header.person,
        key: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned(),
        access: header.access,
        role: header.role,
        command: None,
        seconds: 900,
        break_glass: false,
        reason: "INC-42".parse().unwrap(),
        policy,
        asked: UnixTime::from_secs(1),
        expires: UnixTime::from_secs(900),
    };
    let grant = Entry::Grant {
        request: header.request,
        digest: request.digest(),
        until: UnixTime::from_secs(900),
        approved_by: Vec::new(),
        policy,
        on_call: BTreeMap::new(),
    };
    let request = Entry::Request {
        text: request.text(),
        source: header.source,
    };
    [request, grant]
}

fn entries(header: &Header, sealed: &Sealed) -> [Entry; 2] {
    [
        Entry::SessionBegin {
            session: header.session.clone(),
            request: header.request.clone(),
            person: header.person.clone(),
            access: header.access.clone(),
            bastion: header.bastion.clone(),
            source: header.source,
        },
        Entry::SessionEnd {
            session: sealed.session.clone(),
            reason: sealed.end.reason.to_string(),
            root: sealed.root,
            frames: sealed.frames,
        },
    ]
}

#[test]
fn promise_09_whatever_is_taken_away_is_missed() {
    let site = Site::new();
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (3, 0), "{said}");

    let first = site.recording(0);
    let whole = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (2, 1), "{said}");
    assert!(
        said.contains("missing: alice was let in to root@db1.prod"),
        "{said}"
    );

    fs::write(&first, &whole[..29]).unwrap();
    let name = format!("{RECORDINGS}/{}.cast.zst", site.sealed[0].session);
    for paths in [&[LOG, name.as_str()][..], &[name.as_str()], &[RECORDINGS]] {
        let (_, bad, said) = site.verify(paths);
        assert_eq!(bad, 1, "{said}");
        assert!(said.contains("is cut off: its End is missing"), "{said}");
    }
}

#[test]
fn what_expired_is_not_missed_unless_it_is_held() {
    let site = Site::new();
    let mut log = Log::open(&site.at(LOG), site.key("ca/keys/log"))
        .unwrap()
        .log;
    let of = header(1);
    let expiry = Entry::Expiry {
        session: site.sealed[0].session.clone(),
        bastion: of.bastion.clone(),
        role: "dba".parse().unwrap(),
        rule: Rule::Age(5),
    };
    log.append(&Line::new(UnixTime::from_secs(9), expiry))
        .unwrap();
    fs::remove_file(site.recording(0)).unwrap();
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (3, 0), "{said}");
    assert!(said.contains("expired: alice was let in"), "{said}");

    let key = site.key("ca/keys/log").public_key().clone();
    let place = Place::of(&site.at(LOG)).unwrap();
    let mut sessions = place.verify(&[key]).unwrap().sessions;
    for facts in sessions.values_mut() {
        facts.held = true;
    }
    let seen = [site.sealed[1].session.clone()];
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut report = Report {
        json: false,
        out: &mut out,
        notes: &mut notes,
        found: Found::default(),
        signers: None,
        identities: Arc::new(Identities::default()),
    };
    report.missing(&sessions, &seen).unwrap();
    assert_eq!(
        report.found,
        Found {
            good: 0,
            bad: 1,
            unread: 0
        }
    );
    let said = String::from_utf8(out).unwrap();
    assert!(said.contains("missing: alice was let in"), "{said}");
}

#[test]
fn a_session_that_never_began_is_not_missed_and_one_that_began_is() {
    let site = Site::new();
    let mut log = Log::open(&site.at(LOG), site.key("ca/keys/log"))
        .unwrap()
        .log;
    let nothing = Sealed {
        session: header(3).session,
        frames: 0,
        ..site.sealed[0].clone()
    };
    for entry in entries(&header(3), &nothing) {
        log.append(&Line::new(UnixTime::from_secs(3), entry))
            .unwrap();
    }
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (4, 0), "{said}");
    assert!(said.contains("never began, says its bastion"), "{said}");

    let [begin, _] = entries(&header(4), &nothing);
    log.append(&Line::new(UnixTime::from_secs(4), begin))
        .unwrap();
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (4, 1), "{said}");
    assert!(said.contains("missing: alice was let in"), "{said}");
}

#[test]
fn promise_09_an_emptied_directory_is_not_whole() {
    let site = Site::new();
    for n in 0..2 {
        fs::remove_file(site.recording(n)).unwrap();
    }
    assert_eq!(
        site.verify(&[RECORDINGS]).2,
        format!(
            "BAD   {}  no recordings and no issuance log here\n",
            site.at(RECORDINGS).display()
        )
    );
    assert_eq!(site.verify(&[LOG, RECORDINGS]).1, 2);
}

#[test]
fn promise_09_a_log_that_is_gone_is_no_log_that_nobody_gave() {
    let site = Site::new();
    fs::remove_file(site.at("ca/log/entries")).unwrap();
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (2, 1), "{said}");
    fs::remove_file(site.at("ca/log/checkpoint")).unwrap();
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (2, 1), "{said}");
}

#[test]
fn promise_09_a_line_taken_out_of_the_log_is_missed() {
    let site = Site::new();
    let path = site.at("ca/log/entries");
    let whole = fs::read_to_string(&path).unwrap();
    for gone in 0..6 {
        let lines = whole.split_inclusive('\n').enumerate();
        let rest: String = lines
            .filter(|(n, _)| *n != gone)
            .map(|(_, line)| line)
            .collect();
        fs::write(&path, rest).unwrap();
        let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
        assert_eq!((good, bad), (2, 1), "without line {gone}: {said}");
        assert!(said.contains("lines were removed"), "{said}");
    }
}

#[test]
fn a_new_site_has_nothing_that_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site {
        sealed: Vec::new(),
        dir,
    };
    crate::init::make(&site.at("")).unwrap();
    fs::create_dir(site.at(RECORDINGS)).unwrap();
    drop(Log::open(&site.at(LOG), site.key("ca/keys/log")).unwrap());
    assert_eq!(site.verify(&[LOG, RECORDINGS]).1, 0);
}

#[test]
fn verify_runs_beside_a_log_that_grows() {
    let site = Site::new();
    let (dir, key) = (site.at(LOG), site.key("ca/keys/log"));
    let writer = thread::spawn(move || {
        let mut log = Log::open(&dir, key).unwrap().log;
        for n in 0..100 {
            let policy = Digest::of(b"policy");
            log.append(&Line::new(UnixTime::from_secs(n), Entry::Start { policy }))
                .unwrap();
        }
    });
    while !writer.is_finished() {
        let (_, bad, said) = site.verify(&[LOG]);
        assert_eq!(bad, 0, "{said}");
    }
    writer.join().unwrap();
}

#[test]
fn a_place_that_cannot_be_looked_at_keeps_no_other_from_being_checked() {
    let site = Site::new();
    let all = ["nowhere", "bastion/recordings", "ca/log"];
    let (good, bad, said) = site.verify(&all);
    assert_eq!((good, bad), (3, 1), "{said}");
    assert!(
        said.contains("nowhere cannot be read: No such file"),
        "{said}"
    );
}

#[test]
fn a_directory_that_cannot_be_read_accuses_nobody() {
    let site = Site::new();
    // Whoever runs this, root or not, cannot read it as a directory.
    fs::write(site.at("bastion/recordings/aside"), "").unwrap();
    let (good, bad, said) = site.verify(&[LOG, RECORDINGS]);
    assert_eq!((good, bad), (1, 1), "{said}");
    assert!(
        said.contains("recordings cannot be read: Not a directory"),
        "{said}"
    );

    let (_, bad, said) = site.verify(&[LOG, RECORDINGS, "bastion"]);
    assert_eq!(bad, 1, "{said}");
}

#[test]
fn the_keys_that_are_checked_against_are_no_stranger_and_another_file_is() {
    let site = Site::new();
    let here = |name: &str| site.at(RECORDINGS).join(name);
    fs::copy(site.at(SIGNERS), here(SIGNERS)).unwrap();
    fs::write(here("notes"), "").unwrap();
    let args = VerifyArgs {
        paths: vec![site.at(RECORDINGS)],
        trust: None,
        json: false,
        keys: KeyArgs::default(),
    };
    let mut notes = Vec::new();
    examine(&args, &mut io::sink(), &mut notes).unwrap();
    let said = String::from_utf8(notes).unwrap();
    let strange: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("not checked"))
        .collect();
    assert!(
        matches!(strange.as_slice(), [one] if one.ends_with("recordings/notes")),
        "{said}"
    );
}
