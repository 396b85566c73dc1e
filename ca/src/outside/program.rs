//! A program that is asked: without a shell, with nothing of our environment, and never longer than it may.

use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{Question, Unheard};

/// Where a program finds others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of a program's standard error is kept, in bytes: a sentence for the log.
const WORDS: usize = 512;

/// Runs a program to its end and gives its standard output. If this is dropped before, the program is killed, and
/// with it everything in its process group: that is how a time limit ends it.
pub(super) async fn run(
    words: &[String],
    question: &Question,
    most: usize,
) -> Result<Vec<u8>, Unheard> {
    let mut child = spawn(words, question).map_err(Unheard::Start)?;
    let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let group = Group(Mutex::new(leader));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // Who does not read the question may answer all the same.
            drop(stdin.write_all(&question.body).await);
        }
        Ok(())
    };
    let listen = async {
        let (answer, whole) = read(stdout, most).await?;
        if whole {
            Ok(answer)
        } else {
            Err(Unheard::Long(most))
        }
    };
    let ended = async {
        let status = wait(&mut child).await?;
        // What it left behind holds its pipes open, and was not asked for.
        group.kill();
        Ok(status)
    };
    let ((), answer, words, status) = tokio::try_join!(tell, listen, beginning(stderr), ended)?;
    if !status.success() {
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        return Err(Unheard::Failed { status, words });
    }
    Ok(answer)
}

fn spawn(words: &[String], question: &Question) -> std::io::Result<Child> {
    let Some((program, rest)) = words.split_first() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command
        .args(rest)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for (name, value) in &question.facts {
        let name = name.to_ascii_uppercase().replace('-', "_");
        command.env(format!("HALLPASS_{name}"), value);
    }
    command.spawn()
}

async fn wait(child: &mut Child) -> Result<std::process::ExitStatus, Unheard> {
    child.wait().await.map_err(Unheard::Reach)
}

/// Reads to the end, or until there is more than `most` bytes; says whether that was all.
async fn read(
    from: Option<impl AsyncRead + Unpin>,
    most: usize,
) -> Result<(Vec<u8>, bool), Unheard> {
    let mut kept = Vec::new();
    let Some(from) = from else {
        return Ok((kept, true));
    };
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = from.take(bound).read_to_end(&mut kept).await;
    read.map_err(Unheard::Reach)?;
    let whole = kept.len() <= most;
    kept.truncate(most);
    Ok((kept, whole))
}

/// Reads to the end, and keeps the beginning.
async fn beginning(from: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, Unheard> {
    let (mut kept, mut more) = (Vec::new(), [0; 4096]);
    let Some(mut from) = from else {
        return Ok(kept);
    };
    loop {
        let next = from.read(&mut more).await.map_err(Unheard::Reach)?;
        if next == 0 {
            return Ok(kept);
        }
        let room = WORDS.saturating_sub(kept.len()).min(next);
        kept.extend_from_slice(more.get(..room).unwrap_or_default());
    }
}

/// A process group that ends when this is dropped, or before: once, since its number may be another's afterwards.
struct Group(Mutex<Option<Pid>>);

impl Group {
    /// Ends whatever is left of it; nothing may be.
    fn kill(&self) {
        let mut leader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leader) = leader.take() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests;
