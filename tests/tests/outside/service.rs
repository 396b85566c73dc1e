//! Automated checks that a service makes, over HTTP and HTTPS.

use std::fs;
use std::process::Command;

use hallpass_tests::process::{LIMIT, Service};
use hallpass_tests::{Result, ports, programs};

use super::{CHECK, Outside, until};

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
