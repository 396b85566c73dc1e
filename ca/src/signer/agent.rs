//! A key in an ssh-agent, by the few messages that a signer needs ([draft-ietf-sshm-ssh-agent]): a frame is a
//! `uint32` length, a byte that says what it is, and the rest.
//!
//! Each signature is a connection of its own: an agent that was restarted in between is simply the agent. The agent is
//! not believed: what it signs is verified by whoever asked.
//!
//! [draft-ietf-sshm-ssh-agent]: https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use config::limits;
use ssh_key::PublicKey;

use super::{SignFault, Signer};
use crate::wire::{Take, put};

/// Largest message that is read: a listing of a thousand keys fits.
const MESSAGE_BYTES: u32 = 256 << 10;

/// `SSH_AGENTC_REQUEST_IDENTITIES` and its answer (§5.3).
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;

/// `SSH_AGENTC_SIGN_REQUEST` and its answer (§5.4).
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// One key of an ssh-agent.
pub(crate) struct Agent {
    socket: PathBuf,
    public: PublicKey,
    /// The public half as it stands in the agent's messages.
    blob: Vec<u8>,
}

impl Agent {
    /// Asks the agent whether it has the key. Nothing is signed.
    pub(crate) fn open(socket: &Path, public: &PublicKey) -> Result<Self, SignFault> {
        let blob = public.to_bytes();
        let blob = blob.map_err(|_| SignFault("the public key cannot be written".to_owned()))?;
        let agent = Self {
            socket: socket.to_owned(),
            public: public.clone(),
            blob,
        };
        let answer = agent.ask(REQUEST_IDENTITIES, &[], IDENTITIES_ANSWER)?;
        match has(&answer, &agent.blob) {
            None => Err(agent.fault("it answers what no agent answers")),
            Some(false) => Err(agent.fault("it does not have that key")),
            Some(true) => Ok(agent),
        }
    }

    /// Sends one message, and gives the body of the answer of the wanted kind.
    fn ask(&self, kind: u8, body: &[u8], wanted: u8) -> Result<Vec<u8>, SignFault> {
        let (got, answer) = self
            .exchange(kind, body)
            .map_err(|e| self.fault(&words(&e)))?;
        if got == wanted {
            return Ok(answer);
        }
        Err(self.fault("it refused: is it locked, or is the key not there any more?"))
    }

    fn exchange(&self, kind: u8, body: &[u8]) -> io::Result<(u8, Vec<u8>)> {
        let deadline = Instant::now() + limits::SIGNER_ANSWER;
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_write_timeout(Some(limits::SIGNER_ANSWER))?;
        let mut message = vec![kind];
        message.extend_from_slice(body);
        let mut frame = Vec::with_capacity(message.len() + 4);
        put(&mut frame, &message);
        stream.write_all(&frame)?;
        let mut head = [0; 5];
        read_by(&mut stream, &mut head, deadline)?;
        let [a, b, c, d, got] = head;
        let length = u32::from_be_bytes([a, b, c, d]);
        if !(1..=MESSAGE_BYTES).contains(&length) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut answer = vec![0; length as usize - 1];
        read_by(&mut stream, &mut answer, deadline)?;
        Ok((got, answer))
    }

    fn fault(&self, why: &str) -> SignFault {
        SignFault(format!("the ssh-agent at {}: {why}", self.socket.display()))
    }
}

impl Signer for Agent {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SignFault> {
        let mut body = Vec::new();
        put(&mut body, &self.blob);
        put(&mut body, to_be_signed);
        body.extend_from_slice(&0_u32.to_be_bytes());
        let answer = self.ask(SIGN_REQUEST, &body, SIGN_RESPONSE)?;
        let mut take = Take(&answer);
        let signature = take.string().filter(|_| take.is_empty());
        let signature = signature.map(<[u8]>::to_vec);
        signature.ok_or_else(|| self.fault("it answers what no agent answers"))
    }
}

/// Whether a listing names this key; none if it is no listing. More keys than it counts are none either.
fn has(answer: &[u8], blob: &[u8]) -> Option<bool> {
    let mut take = Take(answer);
    let count = take.u32()?;
    let mut found = false;
    for _ in 0..count {
        found |= take.string()? == blob;
        take.string()?;
    }
    take.is_empty().then_some(found)
}

/// Reads exactly this many bytes before the deadline, however slowly they drip.
fn read_by(stream: &mut UnixStream, mut bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes = bytes.get_mut(count..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn words(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!("no answer within {} s", limits::SIGNER_ANSWER.as_secs())
        }
        io::ErrorKind::UnexpectedEof => "it hung up".to_owned(),
        io::ErrorKind::InvalidData => "it answers what no agent answers".to_owned(),
        _ => e.to_string(),
    }
}
