//! Groups from a program, approvers on call, and automated checks: real programs, a real server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{LIMIT, Service};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Person, Result, World, ports, programs};
use serde_json::Value;
use tempfile::TempDir;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What the CA asks in these tests: files and programs outside of the site.
struct Outside {
    dir: TempDir,
}

impl Outside {
    fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("hp-").tempdir()?;
        let outside = Self { dir };
        outside.write("secret", SECRET)?;
        fs::set_permissions(outside.path("secret"), fs::Permissions::from_mode(0o600))?;
        Ok(outside)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces a file whole.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let new = self.path("new");
        fs::write(&new, text)?;
        Ok(fs::rename(new, self.path(name))?)
    }

    /// A world with these tables; `DIR` stands for the directory.
    fn world(&self, extra: &str) -> Result<World> {
        let dir = self.dir.path().to_str().unwrap_or_default();
        let extra = extra.replace("DIR", dir);
        World::with(&Setup {
            extra,
            ..Setup::default()
        })
    }
}

/// Waits until somebody's command says this.
fn until(person: &Person, args: &[&str], good: impl Fn(&str) -> bool) -> Result<String> {
    let end = Instant::now() + LIMIT;
    loop {
        let output = person.ssh(args)?;
        let said = format!("{}{}", output.out(), output.err());
        if good(&said) {
            return Ok(said);
        }
        if Instant::now() > end {
            return Err(Failure::new(format!("{args:?} says still:\n{said}")));
        }
        sleep(Duration::from_millis(100));
    }
}

fn approve(person: &Person, id: &str) -> Result<Output> {
    person.ssh(&["-A", "ca", "approve", id])
}

/// The entries of one kind, in order.
fn entries(world: &World, kind: &str) -> Result<Vec<Value>> {
    let log = fs::read_to_string(world.log().join("entries"))?;
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = lines.filter_map(|line| line.get("entry")?.get(kind).cloned());
    Ok(found.collect())
}

const GROUPS: &str = r#"
[groups]
command = ["/bin/sh", "DIR/groups.sh"]
names = ["night"]
every = "1s"
timeout = "1s"
stale = "3s"

[role.night]
groups = ["night"]
logins = ["backup"]
targets = ["web1.prod"]
approvals = { count = 1, from = "night" }
"#;

const GROUPS_SH: &str = r#"cd "$(dirname "$0")" || exit 1
case "$(cat mode)" in
good) cat groups.json ;;
hang) sleep 60 & echo $! >> pids; wait ;;
garbage) echo '{"version":1' ;;
huge) yes ;;
fail) echo 'the directory is down' >&2; exit 3 ;;
esac
"#;

fn members(names: &str) -> String {
    format!(r#"{{"version":1,"groups":{{"night":[{names}],"sre":["alice"]}}}}"#)
}

#[test]
fn a_group_that_somebody_left_between_approval_and_issue_gives_nothing() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("groups.sh", GROUPS_SH)?;
    outside.write("mode", "good")?;
    outside.write("groups.json", &members(r#""alice","bob","eve""#))?;
    let mut world = outside.world(GROUPS)?;
    until(&world.alice, &["ca", "whoami"], |said| {
        said.contains("night")
    })?;
    // The program says nothing of groups that are not its own.
    let who = world.alice.ssh(&["ca", "whoami"])?.ok()?.out();
    assert!(!who.contains("sre"), "{who}");
    world.ca()?.wait_log("not registered", LIMIT)?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &["--no-wait"])?;
    asked.live.finish(LIMIT)?.ok()?;
    approve(&world.carol, &asked.id)?
        .exits(2)?
        .says("no request")?;
    approve(&world.bob, &asked.id)?
        .ok()?
        .says("approved: alice has")?;
    outside.write("groups.json", &members(r#""bob""#))?;
    until(&world.alice, &["ca", "whoami"], |said| {
        !said.contains("night")
    })?;
    let collect = ["ca", "collect", asked.id.as_str()];
    world
        .alice
        .ssh(&collect)?
        .exits(1)?
        .says("not this person's any more")?;
    // The log alone says why: who was in the group when it was granted, and that the grant is under that policy.
    let groups = entries(&world, "groups")?;
    let grant = entries(&world, "grant")?.remove(0);
    let night = |entry: &Value| entry["groups"]["night"].to_string();
    let said: Vec<String> = groups.iter().map(night).collect();
    assert_eq!(said, [r#"["alice","bob"]"#, r#"["bob"]"#]);
    assert_eq!(grant["policy"], groups[0]["policy"]);
    assert_ne!(groups[0]["policy"], groups[1]["policy"]);
    // Put back, it is still the same grant.
    outside.write("groups.json", &members(r#""alice","bob""#))?;
    until(&world.alice, &["ca", "whoami"], |said| {
        said.contains("night")
    })?;
    world.alice.ssh(&collect)?.ok()?;
    // A reload asks the program again, and forgets nothing that it said.
    world.ca()?.signal("HUP")?;
    world
        .ca()?
        .wait_log("the configuration was reloaded", LIMIT)?;
    world.alice.ssh(&["ca", "whoami"])?.ok()?.prints("night")?;
    world.end()
}

#[test]
fn a_program_that_does_not_answer_leaves_its_groups_empty() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("groups.sh", GROUPS_SH)?;
    outside.write("mode", "hang")?;
    outside.write("groups.json", &members(r#""alice","bob""#))?;
    let mut world = outside.world(GROUPS)?;
    let whoami = ["ca", "whoami"];
    world.ca()?.wait_log("no answer within 1s", LIMIT)?;
    let who = world.alice.ssh(&whoami)?.ok()?.out();
    assert!(who.contains("oncall") && !who.contains("night"), "{who}");
    for (mode, words) in [
        ("fail", "the directory is down"),
        ("garbage", "is not understood"),
        ("huge", "longer than 4194304 bytes"),
        ("hang", "no answer within"),
    ] {
        outside.write("mode", "good")?;
        until(&world.alice, &whoami, |said| said.contains("night"))?;
        outside.write("mode", mode)?;
        // What it said is good until it is stale, and no longer.
        until(&world.alice, &whoami, |said| !said.contains("night"))?;
        world.ca()?.wait_log(words, LIMIT)?;
    }
    let last = entries(&world, "groups")?.pop().unwrap_or_default();
    assert_eq!(last["answer"], Value::Null, "the log says that it is stale");
    // Nothing that a late program started is left.
    let pids = fs::read_to_string(outside.path("pids"))?;
    world.ca()?.signal("TERM")?;
    world.ca()?.wait(LIMIT)?;
    for pid in pids.lines() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let sleeps = stat.contains("(sleep)") && !stat.contains(") Z ");
        assert!(!sleeps, "{pid} still runs: {stat}");
    }
    world.end()
}

const ON_CALL: &str = r#"
[on-call.primary]
calendar = "DIR/oncall.ics"
zone = "UTC"
persons = { "c.smith@example.org" = "carol" }

[role.night]
groups = ["oncall"]
logins = ["backup"]
targets = ["web1.prod"]
approvals = { count = 1, from = "sre", on-call = "primary" }

[role.both]
groups = ["oncall"]
logins = ["admin"]
targets = ["web1.prod"]
approvals = [{ count = 1, from = "sre", on-call = "primary" }, { count = 1, from = "security" }]
"#;

/// A calendar by which somebody has been on call since 2020, every day.
fn calendar(whom: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nBEGIN:VEVENT\r\nUID:1\r\n\
         DTSTART;VALUE=DATE:20200101\r\nRRULE:FREQ=DAILY\r\n{whom}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[test]
fn only_who_is_on_call_approves_and_a_hand_over_counts_at_once() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    let world = outside.world(ON_CALL)?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let show = ["ca", "show", asked.id.as_str()];
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    approve(&world.carol, &asked.id)?
        .exits(1)?
        .says("by roster primary that is bob")?;
    // Nobody: the person who waits is told so.
    outside.write("oncall.ics", "BEGIN:VCALENDAR\r\nRDATE\r\n")?;
    until(&world.alice, &show, |said| {
        said.contains("nobody is, by roster primary")
    })?;
    approve(&world.bob, &asked.id)?
        .exits(1)?
        .says("that is nobody")?;
    let pending = world.alice.ssh(&["ca", "pending"])?.ok()?.out();
    assert!(pending.contains("nobody is, by"), "{pending}");
    // The hand-over.
    outside.write(
        "oncall.ics",
        &calendar("ATTENDEE:mailto:C.Smith@example.org"),
    )?;
    until(&world.alice, &show, |said| {
        said.contains("(carol, by roster primary)")
    })?;
    approve(&world.bob, &asked.id)?
        .exits(1)?
        .says("that is carol")?;
    approve(&world.carol, &asked.id)?.ok()?;
    asked
        .live
        .finish(LIMIT)?
        .ok()?
        .says("nobody is, by roster primary")?;
    let approval = entries(&world, "approval")?.remove(0);
    assert_eq!(approval["on-call"], serde_json::json!(["primary"]));
    let grant = entries(&world, "grant")?.remove(0);
    assert_eq!(grant["on-call"], serde_json::json!({"primary": ["carol"]}));
    world.end()
}

#[test]
fn an_approval_before_the_hand_over_does_not_count_after_it() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    let world = outside.world(ON_CALL)?;
    let asked = world.ask(&world.alice, "admin@web1.prod", &["--no-wait"])?;
    asked.live.finish(LIMIT)?.ok()?;
    let show = ["ca", "show", asked.id.as_str()];
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    approve(&world.bob, &asked.id)?
        .ok()?
        .says("still needs 1 of group security")?;
    outside.write("oncall.ics", &calendar("SUMMARY:carol"))?;
    until(&world.alice, &show, |said| {
        said.contains("(carol, by roster primary)")
    })?;
    // Carol counts once, for one of the two; bob is not on call any more.
    approve(&world.carol, &asked.id)?
        .ok()?
        .says("still needs 1 of group")?;
    let collect = ["ca", "collect", asked.id.as_str()];
    world
        .alice
        .ssh(&collect)?
        .exits(1)?
        .says("not granted yet")?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    until(&world.alice, &collect, |said| {
        said.contains("ssh-ed25519-cert")
    })?;
    world.end()
}

#[test]
fn a_program_may_say_who_is_on_call() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.json", r#"{"version":1,"on-call":["bob","eve"]}"#)?;
    let program = r#"command = ["/bin/cat", "DIR/oncall.json"]
every = "1s"
timeout = "1s"
stale = "3s""#;
    let calendar = r#"calendar = "DIR/oncall.ics"
zone = "UTC"
persons = { "c.smith@example.org" = "carol" }"#;
    let mut world = outside.world(&ON_CALL.replace(calendar, program))?;
    world
        .hallpass(&["check", "--try"])?
        .ok()?
        .prints("[on-call.primary] on call: bob; not registered: \"eve\"")?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let show = ["ca", "show", asked.id.as_str()];
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    fs::remove_file(outside.path("oncall.json"))?;
    until(&world.alice, &show, |said| {
        said.contains("nobody is, by roster primary")
    })?;
    world.ca()?.wait_log("No such file", LIMIT)?;
    world.hallpass(&["check"])?.ok()?;
    world
        .hallpass(&["check", "--try"])?
        .exits(1)?
        .says("[on-call.primary]: it ended with exit status: 1")?;
    approve(&world.bob, &asked.id)?
        .exits(1)?
        .says("that is nobody")?;
    outside.write("oncall.json", r#"{"version":1,"on-call":["bob"]}"#)?;
    until(&world.alice, &show, |said| {
        said.contains("(bob, by roster primary)")
    })?;
    approve(&world.bob, &asked.id)?.ok()?;
    asked.live.finish(LIMIT)?.ok()?;
    world.end()
}

const CHECK: &str = r#"
[check.ticket]
MEANS
secret-file = "DIR/secret"
deadline = "2s"

[role.night]
groups = ["oncall"]
logins = ["backup"]
targets = ["web1.prod"]
approvals = [{ count = 1, from = "sre" }, { check = "ticket" }]

[role.alone]
groups = ["oncall"]
logins = ["admin"]
targets = ["web1.prod"]
approvals = { check = "ticket" }
"#;

/// A check in shell: it trusts nothing that openssl does not vouch for.
const CHECK_SH: &str = r#"cd "$(dirname "$0")" || exit 1
hmac() { openssl dgst -sha256 -hmac "$(cat secret)" -r | cut -c1-64; }
question=question.$$
cat > $question
mode=$(cat mode)
theirs=$( { printf 'hallpass-check-v1\n%s\n%s\n' "$HALLPASS_CHECK" "$HALLPASS_TIME"; cat $question; } | hmac)
[ "$theirs" = "$HALLPASS_MAC" ] || { echo 'not from the CA' >&2; exit 1; }
grep -q '^reason: INC-42' $question || mode=deny
reason='INC-42 is open'
[ "$mode" = deny ] && reason='INC-42 is closed'
said=$mode
case "$mode" in
hang) sleep 60 ;;
garbage) echo 'sure, why not'; exit ;;
huge) yes; exit ;;
forged) said=approve ;;
esac
mac=$(printf 'hallpass-answer-v1\n%s\n%s\n%s\n%s\n%s' "$HALLPASS_CHECK" "$HALLPASS_TIME" "$HALLPASS_DIGEST" "$mode" "$reason" | hmac)
printf '{"version":1,"verdict":"%s","reason":"%s","mac":"%s"}' "$said" "$reason" "$mac"
"#;

fn by_program() -> String {
    CHECK.replace("MEANS", r#"command = ["/bin/sh", "DIR/check.sh"]"#)
}

#[test]
fn a_check_has_to_agree_beside_the_persons() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "approve")?;
    let world = outside.world(&by_program())?;
    world
        .hallpass(&["check", "--try"])?
        .ok()?
        .prints("[check.ticket] the program is there")?;
    world
        .alice
        .ssh(&["ca", "roles"])?
        .ok()?
        .prints("1 of sre and check ticket")?;
    // Its yes is not a person's.
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let show = ["ca", "show", asked.id.as_str()];
    let shown = until(&world.alice, &show, |said| said.contains("INC-42 is open"))?;
    assert!(
        shown.contains("waits: needs 1 of group sre (bob or carol), expires"),
        "{shown}"
    );
    approve(&world.bob, &asked.id)?
        .ok()?
        .says("approved: alice has")?;
    asked
        .live
        .finish(LIMIT)?
        .ok()?
        .says("approved by bob, check ticket")?;
    let verdict = entries(&world, "verdict")?.remove(0);
    assert_eq!(verdict["verdict"], "approve");
    assert_eq!(verdict["reason"], "INC-42 is open");
    // Where no person has to agree, it alone does.
    let alone = world.ask(&world.alice, "admin@web1.prod", &[])?;
    alone
        .live
        .finish(LIMIT)?
        .ok()?
        .says("approved by check ticket")?;
    world.end()
}

#[test]
fn the_no_of_a_check_decides() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "deny")?;
    let world = outside.world(&by_program())?;
    let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
    let id = asked.id.clone();
    asked
        .live
        .finish(LIMIT)?
        .exits(3)?
        .says("check ticket denied the request: INC-42 is closed")?;
    approve(&world.bob, &id)?
        .exits(3)?
        .says("check ticket denied")?;
    world
        .alice
        .ssh(&["ca", "collect", &id])?
        .exits(3)?
        .says("INC-42 is closed")?;
    assert!(entries(&world, "grant")?.is_empty());
    world.end()
}

#[test]
fn a_check_that_is_not_heard_does_not_count_and_is_asked_again() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "abstain")?;
    let mut world = outside.world(&by_program())?;
    let mut waiting = Vec::new();
    for (mode, words) in [
        ("abstain", "abstain"),
        ("forged", "its mac is not that of this answer"),
        ("garbage", "its answer is not understood"),
        ("huge", "longer than 16384 bytes"),
        ("hang", "no answer within 2s"),
    ] {
        outside.write("mode", mode)?;
        let asked = world.ask(&world.alice, "backup@web1.prod", &[])?;
        let show = ["ca", "show", asked.id.as_str()];
        until(&world.alice, &show, |said| said.contains(words))?;
        approve(&world.bob, &asked.id)?
            .ok()?
            .says("still needs check ticket")?;
        let collect = ["ca", "collect", asked.id.as_str()];
        world
            .alice
            .ssh(&collect)?
            .exits(1)?
            .says("not granted yet: needs check ticket")?;
        waiting.push(asked);
    }
    assert!(entries(&world, "grant")?.is_empty());
    // The questions outlive the CA: whoever waited is asked about again.
    world.kill_ca();
    outside.write("mode", "approve")?;
    world.start_ca()?;
    for asked in waiting {
        drop(asked.live);
        let collect = ["ca", "collect", asked.id.as_str()];
        until(&world.alice, &collect, |said| {
            said.contains("ssh-ed25519-cert")
        })?;
    }
    world.end()
}

/// A service in Python: another hand's HTTP, TLS and HMAC.
const CHECK_PY: &str = r"
import hashlib, hmac, http.server, json, os, ssl, sys, time
here, port, tls = os.path.dirname(os.path.abspath(__file__)), int(sys.argv[1]), len(sys.argv) > 2
secret = open(os.path.join(here, 'secret'), 'rb').read().strip()
mac = lambda text: hmac.new(secret, text, hashlib.sha256).hexdigest()
kept = []
class Check(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        mode = open(os.path.join(here, 'mode')).read()
        text = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        name, when = self.headers.get('Hallpass-Check', ''), self.headers.get('Hallpass-Time', '')
        good = mac(b'hallpass-check-v1\n%s\n%s\n' % (name.encode(), when.encode()) + text)
        digest = 'sha256:' + hashlib.sha256(text).hexdigest()
        if not hmac.compare_digest(good, self.headers.get('Hallpass-Mac', '')) or digest != self.headers['Hallpass-Digest']:
            return self.send_error(403)
        if abs(time.time() - int(when)) > 60:
            return self.send_error(408)
        if mode == 'slow':
            time.sleep(5)
        verdict, reason = ('deny', 'no') if mode == 'deny' else ('approve', 'INC-42 is open')
        signed = '\n'.join(['hallpass-answer-v1', name, when, digest, verdict, reason]).encode()
        answer = {'version': 1, 'verdict': verdict, 'reason': reason, 'mac': mac(signed)}
        kept.append(answer)
        if mode == 'replay':
            answer = kept[0]
        if mode == 'turned':
            answer['verdict'] = 'abstain'
        if mode == 'moved':
            self.send_response(307)
            self.send_header('Location', '/elsewhere')
            self.send_header('Content-Length', '0')
            return self.end_headers()
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Check)
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(here, 'cert.pem'), os.path.join(here, 'key.pem'))
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

fn serve(outside: &Outside, tls: bool) -> Result<(Service, u16)> {
    outside.write("check.py", CHECK_PY)?;
    let port = ports::free()?;
    let mut command = Command::new(programs::find("python3")?);
    command.arg(outside.path("check.py")).arg(port.to_string());
    if tls {
        command.arg("tls");
    }
    let mut service = Service::start("check", &mut command, &outside.path("check.log"))?;
    service.wait_port(port, LIMIT)?;
    Ok((service, port))
}

#[test]
fn a_service_is_asked_and_answers_with_its_own_mac() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("mode", "approve")?;
    let (_service, port) = serve(&outside, false)?;
    let url = format!("url = \"http://127.0.0.1:{port}/ticket\"");
    let world = outside.world(&CHECK.replace("MEANS", &url))?;
    world.hallpass(&["check", "--try"])?.ok()?;
    let alone = world.ask(&world.alice, "admin@web1.prod", &[])?;
    alone
        .live
        .finish(LIMIT)?
        .ok()?
        .says("approved by check ticket")?;
    for (mode, words) in [
        ("replay", "its mac is not that of this answer"),
        ("turned", "its mac is not that of this answer"),
        ("moved", "HTTP status 307"),
        ("slow", "no answer within 2s"),
    ] {
        outside.write("mode", mode)?;
        let asked = world.ask(&world.alice, "admin@web1.prod", &["--no-wait"])?;
        asked.live.finish(LIMIT)?.ok()?;
        let show = ["ca", "show", asked.id.as_str()];
        until(&world.alice, &show, |said| said.contains(words))?;
    }
    outside.write("mode", "deny")?;
    let asked = world.ask(&world.alice, "admin@web1.prod", &[])?;
    asked
        .live
        .finish(LIMIT)?
        .exits(3)?
        .says("check ticket denied the request: no")?;
    world.end()
}

fn certificate(outside: &Outside, name: &str) -> Result<()> {
    let mut openssl = Command::new(programs::find("openssl")?);
    openssl
        .args([
            "req",
            "-x509",
            "-newkey",
            "ed25519",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=check",
        ])
        .args([
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            name,
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(outside.dir.path());
    hallpass_tests::process::run(&mut openssl)?.ok().map(drop)
}

#[test]
fn a_service_behind_https_shows_a_certificate_that_verifies() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("mode", "approve")?;
    certificate(&outside, "subjectAltName=IP:127.0.0.1")?;
    let (_service, port) = serve(&outside, true)?;
    let url = format!("url = \"https://127.0.0.1:{port}/ticket\"\nca-file = \"DIR/cert.pem\"");
    let mut world = outside.world(&CHECK.replace("MEANS", &url))?;
    let alone = world.ask(&world.alice, "admin@web1.prod", &[])?;
    alone
        .live
        .finish(LIMIT)?
        .ok()?
        .says("approved by check ticket")?;
    // The same service, believed by the system's authorities only.
    let config = fs::read_to_string(world.config())?;
    let line = config
        .lines()
        .find(|line| line.starts_with("ca-file"))
        .unwrap_or_default();
    fs::write(world.config(), config.replace(line, ""))?;
    world.ca()?.signal("HUP")?;
    world
        .ca()?
        .wait_log("the configuration was reloaded", LIMIT)?;
    let asked = world.ask(&world.alice, "admin@web1.prod", &["--no-wait"])?;
    asked.live.finish(LIMIT)?.ok()?;
    let show = ["ca", "show", asked.id.as_str()];
    until(&world.alice, &show, |said| {
        said.contains("https: invalid peer certificate")
    })?;
    world
        .hallpass(&["check", "--try"])?
        .exits(1)?
        .says("[check.ticket]: https: ")?;
    world.end()
}

#[test]
fn check_says_what_is_wrong_outside() -> Result<()> {
    let outside = Outside::new()?;
    outside.write("oncall.ics", &calendar("SUMMARY:bob"))?;
    outside.write("check.sh", CHECK_SH)?;
    outside.write("mode", "approve")?;
    let roster = "[on-call.primary]\ncalendar = \"DIR/oncall.ics\"\nzone = \"UTC\"\n";
    let world = outside.world(&format!("{roster}{}", by_program()))?;
    world
        .hallpass(&["check"])?
        .ok()?
        .prints("[on-call.primary] the calendar is understood\n")?;
    outside.write("oncall.ics", &calendar("RDATE:20261122T000000Z"))?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("oncall.ics, line 8: RDATE is not understood")?;
    outside.write("oncall.ics", &calendar("SUMMARY:nobody here"))?;
    world
        .hallpass(&["check"])?
        .ok()?
        .prints("not registered: \"nobody here\"")?;
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    open(&outside.path("secret"), 0o644)?;
    world
        .hallpass(&["check"])?
        .exits(1)?
        .says("others can read it: chmod 600")?;
    world.end()
}
