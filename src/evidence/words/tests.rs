use std::io;
use std::path::Path;
use std::sync::Arc;

use record::age::Identities;

use super::super::Report;
use super::*;

#[test]
fn what_could_not_be_read_is_not_called_altered() {
    let problem = Problem {
        offset: 5,
        frame: 0,
        at_us: 0,
        fault: Fault::Io(io::Error::other("the bucket did not do it")),
    };
    let (good, said, _) = told(&Verdict::Bad(problem), None);
    assert!(!good);
    assert_eq!(
        said,
        "it could not be read, and may be whole: the bucket did not do it"
    );
}

#[test]
fn the_end_says_that_something_is_wrong_only_where_it_is() {
    let io = || Fault::Io(io::Error::other("no answer"));
    let ends = |faults: Vec<Option<Fault>>| {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let mut report = Report {
            json: false,
            out: &mut out,
            notes: &mut notes,
            found: Found::default(),
            signers: None,
            identities: Arc::new(Identities::default()),
        };
        for fault in faults {
            let (good, said, facts) = fault.map_or((true, String::new(), json!({})), |fault| {
                let bad = Problem {
                    offset: 0,
                    frame: 0,
                    at_us: 0,
                    fault,
                };
                told(&Verdict::Bad(bad), None)
            });
            report
                .say(good, Path::new("x"), "x", &said, &facts)
                .unwrap();
        }
        let found = report.close().unwrap();
        (found.bad, String::from_utf8(notes).unwrap())
    };
    let altered = || Some(Fault::Altered("a bit"));
    let unread = || Some(io());
    for (faults, bad, said) in [
        (vec![], 0, "nothing there to check\n"),
        (vec![None], 0, "it is whole\n"),
        (vec![None, None], 0, "all 2 are whole\n"),
        (
            vec![altered()],
            1,
            "it is wrong: keep everything as it is, and find out why\n",
        ),
        (
            vec![unread()],
            1,
            "it could not be read: put that right, and check again\n",
        ),
        (
            vec![None, unread(), unread()],
            2,
            "2 of 3 could not be read: put that right, and check again\n",
        ),
        (
            vec![unread(), altered(), None],
            2,
            "1 of 3 are wrong, and 1 could not be read: keep everything as it is, and find out why\n",
        ),
    ] {
        assert_eq!(ends(faults), (bad, said.to_owned()));
    }
}
