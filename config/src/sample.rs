//! The configuration that `hallpass init` writes: small, complete, and commented.

use crate::words::BastionName;

/// What goes into a first `hallpass.toml`.
pub struct Sample<'a> {
    /// The bastion's name.
    pub bastion: &'a BastionName,
    /// Its identity, the public half, in OpenSSH's one-line form.
    pub identity: &'a str,
}

impl Sample<'_> {
    /// The text of the file. It passes every check as it stands, with nobody in it yet.
    pub fn text(&self) -> String {
        TEMPLATE
            .replace("@BASTION@", self.bastion.as_str())
            .replace("@IDENTITY@", self.identity.trim())
    }
}

const TEMPLATE: &str = r#"# Hallpass. Every key that there is stands here; `hallpass check --config FILE` checks it.
# Relative paths are relative to this file. After a change: `systemctl reload hallpass-ca`
# (or SIGHUP); a file with a mistake is refused, and the one before stays in force.

[ca]
listen = "127.0.0.1:7022"           # where `hallpass ca` listens
address = "localhost:7022"          # what people and bastions connect to
data = "ca"                         # keys, issuance log, state
# publish = "published-log"         # the issuance log as files for any web server (C2SP tlog-tiles), kept up to date
# revokers = ["sre"]                # who shuts out persons, keys, targets and bastions at once (`ssh ca revoke`); absent: nobody
# enrollers = ["sre"]               # who makes join tokens for targets (`ssh ca token`); absent: nobody

# The CA's private keys are the files DATA/keys/NAME, unless a table says otherwise (NAME: user, session, host, door,
# log, identity; the last two are files). `.next` announces the key that will follow: see `hallpass keys --help`.
#
# [ca.key.user]
# file = "/etc/hallpass/user"                 # OpenSSH's format, Ed25519 or ECDSA P-256
# passphrase = "credential:user-passphrase"   # of a systemd credential of that name, or "prompt"
# [ca.key.session]
# agent = "/run/hallpass-agent/agent.sock"    # an ssh-agent, and so any hardware behind one
# public = "ssh-ed25519 AAAA…"                # which of its keys
# [ca.key.session.next]
# pkcs11 = "/usr/lib/softhsm/libsofthsm2.so"  # a PKCS#11 token: its module,
# token = "hallpass"                          # its label,
# label = "session"                           # the key's label,
# pin = "credential:token-pin"                # and the PIN's credential, or "prompt"

# Witnesses cosign the published log, so that nobody can show two of them. With need = 1, an access certificate is
# released only when so many have cosigned its entry; break-glass does not wait for them. See `hallpass log witness`.
#
# [ca.witnesses]
# need = 1
#
# [witness."w1.example.org/hallpass"]
# key = "ssh-ed25519 AAAA…"
# url = "http://w1.example.org:7025"

[bastion.@BASTION@]
listen = "127.0.0.1:7023"           # where `hallpass bastion` listens
address = "localhost:7023"          # what people connect to
data = "@BASTION@"                        # identity, recordings
identity = "@IDENTITY@"
source = []                         # addresses that targets see it come from, e.g. ["10.0.0.5/32"];
                                    # session certificates are then good from there only

# People. A key proves one person; a person may have several keys, and counts once.
#
# [person.alice]
# groups = ["oncall", "sre"]
# keys = ["ssh-ed25519 AAAA… alice@laptop"]

# Groups whose members a program says, such as one that asks your directory. It prints
# {"version":1,"groups":{"sre":["alice","bob"]}}; while it has said nothing good for longer than stale, nobody is in them.
#
# [groups]
# command = ["/usr/local/bin/hallpass-groups"]  # no shell reads it
# names = ["dba", "support"]                  # the groups that it fills, and no others; persons' groups must not name them
# every = "5m"                                # from one answer to the next run
# timeout = "5s"                              # a run that takes longer is killed
# stale = "15m"                               # how old its last answer may be

# Who is on call: an iCalendar file, read again when it changes, or a program that prints
# {"version":1,"on-call":["alice"]}, with every, timeout and stale as above. Nobody is on call while nothing is known.
#
# [on-call.primary]
# calendar = "oncall.ics"                     # events whose SUMMARY or ATTENDEE is a person here; or: command = ["/PROGRAM"]
# zone = "Europe/Berlin"                      # of whole days and times without a zone; absent: such events are refused
# persons = { "b.jones@example.org" = "bob" } # who is meant, where the calendar has other names

# Automated checks that approve. One gets the request's text on standard input or as a POST body, and answers
# {"version":1,"verdict":"approve","reason":"…","mac":"…"} (or deny, or abstain); see README.md, "Automated checks".
#
# [check.ticket]
# url = "https://checks.example.org/ticket"   # or http://127.0.0.1:PORT/…, or: command = ["/PROGRAM"]
# ca-file = "checks-ca.pem"                   # the CA of that https server; absent: those of the system
# secret-file = "ticket.secret"               # shared with the check, 0600, 32 bytes or more
# deadline = "10s"                            # how long an answer may take

# Targets. host is how the machine proves itself: "ca" (it shows a host certificate, see
# `hallpass target setup`), or its public host key (several: one a line). Nothing is trusted on first use.
#
# [target."db1.prod"]
# address = "10.1.2.3:22"
# host = "ca"
# labels = { env = "prod" }

# Recordings: who alone can open them, by ssh-ed25519 public keys and keys of age (age-keygen). The bastion that writes a sealed one
# cannot read it. Absent: recordings are not sealed, and whoever has a file can read it.
#
# [recordings]
# recipients = ["ssh-ed25519 AAAA… reviewer@example.org"]   # or "age1…"; each of them alone opens a recording
#                                             # only two of three together: { threshold = 2, of = ["…", "…", "…"] }
# retention = "365d"                          # how long after a session's end its recording is kept; absent: for ever; by size
#                                             # too: { age = "365d", size = "50G" }, of each role on each bastion, the oldest removed
#
# [recordings.bucket]                         # S3, or what speaks its protocol: recordings go there while their sessions run
# url = "s3://recordings/prod"                # the bucket, and what the names in it begin with
# region = "eu-central-1"                     # absent: us-east-1
# endpoint = "https://s3.example.org"         # absent: Amazon's own
# path-style = true                           # whether the bucket stands in the path; absent: yes, if there is an endpoint
# ca-file = "s3-ca.pem"                       # the CA of that endpoint; absent: those of the system
# credentials = "s3.credentials"              # 0600, lines aws_access_key_id = … and aws_secret_access_key = …, read at each request; absent:
#                                             # AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment
# keep-local = "30d"                          # how long a recording stays on the bastion's disk once it is there; absent: as long as it is kept
# lock = "90d"                                # locks each object for so long in compliance mode, where the bucket can

# Roles: what may be asked for. What no role names is refused.
#
# [role.db-oncall]
# groups = ["oncall"]                         # who may ask
# logins = ["postgres"]                       # for which accounts
# targets = ["db1.prod"]                      # on which machines; or: labels = { env = "prod" }
# approvals = { count = 1, from = "sre" }     # who has to agree; { count = 0 } grants at once; several groups, each person
#                                             # counting once: [{ count = 1, from = "sre" }, { count = 1, from = "security" }]
#                                             # only who is on call: { count = 1, from = "sre", on-call = "primary" }; a check too:
#                                             # [{ count = 1, from = "sre" }, { check = "ticket" }]
# sources = ["10.0.0.0/8"]                    # requests from these networks only, and certificates good from there only; absent: any
# longest = "1h"                              # longest life of a grant, 15m if absent
# live = 1                                    # most grants of it that one person has running at once; absent: any number
# hours = { zone = "Europe/Zurich", days = ["mon-fri"], from = "08:00", to = "18:00" }   # when it is given, and until when
#                                             # its grants run at most; or a list of these; absent: always
# command = "/usr/local/bin/failover"         # every session runs this and nothing else; absent: the person's choice
# commands = [["systemctl", "{start|stop}", "{unit}"]]   # these are granted at once, without approvals and checks, as the
#                                             # certificate's only command; others need the approvals, and with { count = 0 } there
#                                             # are no others; {unit} is one name
# channels = ["shell", "exec"]                # what a session may open; every other channel is refused
# record-input = false                        # true: what is typed is recorded too, passwords at prompts included
# alerts = [{ name = "shadow", command = '/etc/shadow' }, { name = "root", screen = 'root@.*#', kill = true }]   # told at once, with
#                                             # that name, as entries of the log and to [alert]: commands (and what is typed, if it is
#                                             # recorded) and lines of the screen in which a pattern is found, rate = "10M" a second
#                                             # over ten seconds, volume = "1G" in all; kill: and the session ends
# new-source = "30d"                          # so is a session from an address that its person was not seen at for so long
# sessions = 4                                # most sessions of it that one person has running at once; absent: any number
# idle = "10m"                                # a session ends when nothing was typed for so long (without a terminal: when no
#                                             # byte passed); absent: with the grant
# largest-session = "10G"                     # and when so many bytes have passed, both ways together; absent: any number
# mask = ["cards", "keys", "tokens", { pattern = 'Contract-(\d{6})' }]   # replaced by stars in what the target sends, for the person and
#                                             # in the recording: numbers of cards, private keys, tokens, own patterns (of one with a
#                                             # group, the first group); not in file transfers
# mask-original = ["ssh-ed25519 AAAA… dpo@example.org"]   # who alone can read what was masked: it stands in the recording, sealed to
#                                             # them, and a sealed recording they open too; written as recipients are; absent: it is kept nowhere
# observer = false                            # true: a session goes on only while somebody else watches it (a review role), and ends
#                                             # 30s after the last one has left; or: { grace = "5m" }
# recipients = ["ssh-ed25519 AAAA… dba@example.org"]   # who alone can open its recordings; absent: those of [recordings]
# retention = "90d"                           # how long its recordings are kept; absent: as [recordings] says
# break-glass = false                         # true: may be taken first and reviewed afterwards; or on these terms:
#                                             # { verify = true, per-week = 2, review = { count = 1, from = "sre", within = "24h" }, blocks = true }
#                                             # verify: only with the PIN of an sk- key; per-week: as often a person within seven days; review: by
#                                             # how many of whom, and how long after the grant's end (1 of the approvers, 24h); blocks: who owes an
#                                             # overdue review is given nothing new but break-glass; blocks-break-glass = true: not even that;
#                                             # any-time = true: outside of the role's hours too
#
# [role.db-tunnel]
# groups = ["oncall"]
# logins = ["postgres"]
# targets = ["db1.prod"]
# approvals = { count = 1, from = "sre" }
# channels = ["forward", "remote-forward"]    # ssh -L, -W, -D; ssh -R: addresses, sizes and digests are recorded. "agent" and "x11": ssh -A, -X
# forward-to = ["localhost:5432", "10.0.0.0/8:443", "/run/app/*"]   # where to, as the client names it
# listen-on = ["localhost:8000-8099"]         # where the target may listen for ssh -R; port 0 lets it choose
#
# [role.db-files]
# groups = ["oncall"]
# logins = ["backup"]
# targets = ["db1.prod"]
# approvals = { count = 1, from = "sre" }
# channels = ["sftp"]                         # files, by sftp and scp: each operation is recorded, contents by size and digest
# files = { read = true, write = false, paths = ["/srv/dumps"], largest = "2G" }    # absent: all that the login may do
#
# [role.reviewer]
# review = true                               # gives review@BASTION: `ssh -t review@BASTION ls`, watch, cat and kill
# groups = ["sre"]
# logins = ["postgres"]                       # whose sessions: under these accounts …
# targets = ["db1.prod"]                      # … on these machines; or: labels = { env = "prod" }
# erase = false                               # true: `erase ID --reason TEXT` too, which destroys the key of a sealed recording
# hold = false                                # true: `hold ID --reason TEXT` too, which keeps a recording whatever retention says,
#                                             # and `release ID --reason TEXT`
# approvals = { count = 1, from = "security" }

# Who is told at once of break-glass, overdue reviews, revocations, who is shut out or let in again, and certificates that the log does
# not hold: a JSON document for each, on a program's standard input, or by POST (url = "https://…" instead). Nothing waits for it.
#
# [alert]
# command = ["/usr/local/bin/page-somebody", "--urgent"]
# secret-file = "alert.secret"                # signs each document (HMAC-SHA256); may be absent

# Who may see `ssh ca report` over everybody. Without it nobody may.
#
# [report]
# auditors = ["sre"]
"#;
