use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::outside::put;
use config::outside::Means;

fn sh(script: &str) -> Means {
    Means::Command(["/bin/sh", "-c", script].map(str::to_owned).to_vec())
}

async fn asked(script: &str, limit: u64, most: usize) -> Result<String, Unheard> {
    let question = Question {
        body: b"the question".to_vec(),
        kind: "text/plain",
        facts: vec![("Check", "ticket".to_owned())],
    };
    let limit = Duration::from_millis(limit);
    let answer = put(&sh(script), &question, limit, most).await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn a_program_reads_the_question_and_answers() {
    let said = asked("cat; echo; pwd; echo $HALLPASS_CHECK", 5_000, 1000).await;
    assert_eq!(said.unwrap(), "the question\n/\nticket\n");
    let said = asked("exec </dev/null; echo deaf", 5_000, 1000).await;
    assert_eq!(said.unwrap(), "deaf\n");
}

#[tokio::test]
async fn a_program_sees_nothing_of_our_environment() {
    let said = asked("env | sort | cut -d= -f1", 5_000, 1000)
        .await
        .unwrap();
    let names: Vec<&str> = said.lines().filter(|name| *name != "_").collect();
    assert_eq!(names, ["HALLPASS_CHECK", "LANG", "PATH", "PWD"]);
    // Nor do files that we have open.
    let ours = tempfile::NamedTempFile::new().unwrap();
    let said = asked("ls -l /proc/self/fd/", 5_000, 10_000).await.unwrap();
    let name = ours.path().file_name().unwrap().to_str().unwrap();
    assert!(said.contains("pipe:") && !said.contains(name), "{said}");
}

#[tokio::test]
async fn an_answer_is_as_long_as_it_may_be_and_no_longer() {
    let said = asked("printf 12345", 5_000, 5).await;
    assert_eq!(said.unwrap(), "12345");
    let refused = asked("printf 123456", 5_000, 5).await;
    assert!(matches!(refused, Err(Unheard::Long(5))));
    let began = Instant::now();
    let refused = asked("yes", 20_000, 1000).await;
    assert!(matches!(refused, Err(Unheard::Long(1000))));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_fails_says_so() {
    let refused = asked(
        "echo hopeless >&2; yes | head -c 100000 >&2; exit 3",
        5_000,
        10,
    )
    .await;
    let words = refused.unwrap_err().to_string();
    assert!(
        words.starts_with("it ended with exit status: 3, saying \"hopeless"),
        "{words}"
    );
    let refused = asked("kill -9 $$", 5_000, 10).await.unwrap_err();
    assert!(refused.to_string().contains("signal: 9"), "{refused}");
    let none = Means::Command(vec!["/nonexistent/program".to_owned()]);
    let refused = put(&none, &Question::default(), Duration::from_secs(5), 10).await;
    assert!(matches!(refused, Err(Unheard::Start(_))));
}

/// A program that is late ends, and so does what it started, even if it has left it behind.
#[tokio::test]
async fn a_late_program_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let script = format!(
        "echo $$ > {0}; sleep 60 & echo $! >> {0}; wait",
        pids.display()
    );
    let refused = asked(&script, 500, 10).await;
    assert!(matches!(refused, Err(Unheard::Late(_))), "{refused:?}");
    all_end(&pids).await;
    // One that ends in time, and leaves something behind that holds its pipes.
    let script = format!("sleep 60 & echo $! > {}; echo done", pids.display());
    let began = Instant::now();
    assert_eq!(asked(&script, 20_000, 10).await.unwrap(), "done\n");
    assert!(began.elapsed() < Duration::from_secs(10));
    all_end(&pids).await;
}

async fn all_end(pids: &Path) {
    let pids = std::fs::read_to_string(pids).unwrap();
    assert!(!pids.is_empty());
    let end = Instant::now() + Duration::from_secs(5);
    for pid in pids.lines() {
        while runs(pid) {
            assert!(Instant::now() < end, "{pid} still runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// One that has ended and that nobody has waited for is over too.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}
