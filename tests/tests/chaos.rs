//! A bad network between all parties: client and bastion, bastion and target, bastion and CA.
//!
//! Whatever it does, each session is complete and correct, or it ends by name; nothing hangs, and what was recorded
//! verifies. `HALLPASS_CHAOS` is how many seeds are tried instead of a few.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::chaos::{Harm, Plan, Proxy, Random};
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, programs};

/// How many seeds are tried.
const SEEDS: u64 = 30;

/// What goes there and back in one session.
const BYTES: u64 = 300_000;

/// Once so many bytes have passed on a way, the session has begun.
const BEGUN: u64 = 8_000;

/// The way between the bastion and the CA, as a seed names it.
const CA: u64 = 2;

/// How long a session may take, a stalled one too: less than the keepalives would need to notice.
const LONG: Duration = Duration::from_secs(30);

/// A world with a proxy on each of its ways.
struct Bad {
    world: World,
    client: Proxy,
    target: Proxy,
    ca: Proxy,
}

impl Bad {
    fn new() -> Result<Self> {
        let mut world = World::lay_out(&Setup::default())?;
        let target = Proxy::to(world.web1.port)?;
        let ca = Proxy::to(world.ca_port)?;
        let client = Proxy::to(world.bastion_port)?;
        let text = fs::read_to_string(world.config())?;
        let address = |port: u16| format!("address = \"127.0.0.1:{port}\"");
        let text = text.replace(&address(world.web1.port), &address(target.port));
        // The CA says where the target is.
        fs::write(world.config(), &text)?;
        world.start_ca()?;
        // The people's own way to the CA stays as it is; the bastion reads this file.
        let usual = fs::read_to_string(world.config())?;
        world.introduce(&world.alice)?;
        fs::write(
            world.config(),
            text.replace(&address(world.ca_port), &address(ca.port)),
        )?;
        world.start_bastion()?;
        fs::write(world.config(), usual)?;
        let at = world.at_web1();
        world.take(&world.alice, &at, &[])?;
        let door = world.public_of("door")?;
        let known = format!("@cert-authority 127.0.0.1 {door}\n");
        fs::write(world.root().join("known"), known)?;
        Ok(Self {
            world,
            client,
            target,
            ca,
        })
    }

    fn fair(&self) {
        for proxy in [&self.client, &self.target, &self.ca] {
            proxy.plan(Plan::FAIR);
        }
    }

    /// One session: these bytes there and back.
    fn session(&self, bytes: &[u8]) -> Result<Output> {
        let world = &self.world;
        let port = self.client.port.to_string();
        // By another port, so by another name than the one that `ssh-config` prints.
        let alias = "HostKeyAlias=127.0.0.1";
        let known = format!(
            "UserKnownHostsFile={}",
            world.root().join("known").display()
        );
        let user = format!("{}%web1.prod@127.0.0.1", world.login);
        let args = ["-p", &port, "-o", alias, "-o", &known, &user, "cat"];
        let mut ssh = world.alice.ssh_live(&args)?;
        // One that is cut takes no more.
        let _ = ssh.send(bytes);
        ssh.close();
        ssh.finish(LONG)
    }

    /// What the ends of all recordings say.
    fn ends(&self) -> Result<Vec<String>> {
        let mut ends = Vec::new();
        for path in self.world.finished()? {
            let mut zstd = Command::new(programs::find("zstd")?);
            let text = process::run(zstd.arg("-dcq").arg(path))?.ok()?.out();
            let last = text.lines().rfind(|line| line.starts_with('['));
            ends.push(last.unwrap_or_default().to_owned());
        }
        Ok(ends)
    }
}

/// What happens with this seed: on which way, and what. Each harm comes to each way, early or late, within eighteen seeds.
fn draw(seed: u64) -> (u64, Plan) {
    let mut random = Random::new(seed);
    let (way, turn) = (seed % 3, seed / 3);
    // Keys are exchanged within the first few thousand bytes, and the CA is asked in no more; the bytes themselves follow.
    let late = way != CA && turn % 6 % 2 == 0;
    let at = if late {
        BEGUN + random.below(BYTES - BEGUN)
    } else {
        random.below(4_000)
    };
    let harm = match turn % 6 {
        0 | 1 => Harm::Corrupt(at),
        2 | 3 => Harm::Cut(at),
        4 => Harm::Stall(at, Duration::from_secs(2)),
        _ => Harm::None,
    };
    let (up, down) = if random.below(2) == 0 {
        (harm, Harm::None)
    } else {
        (Harm::None, harm)
    };
    (way, Plan { up, down, seed })
}

#[test]
fn promise_15_over_a_bad_network_a_session_is_whole_or_ends_by_name() -> Result<()> {
    let bad = Bad::new()?;
    let mut noise = Random::new(7);
    let noise = (0..BYTES).map(|_| u8::try_from(noise.below(256)).unwrap_or_default());
    let bytes: Vec<u8> = noise.collect();
    assert!(bad.session(&bytes)?.ok()?.stdout == bytes);
    let seeds = std::env::var("HALLPASS_CHAOS").ok();
    let seeds = seeds.and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    let (mut whole, mut ended, mut midst) = (1, 0, [0, 0]);
    for seed in 1..=seeds {
        bad.fair();
        let (drawn, plan) = draw(seed);
        let way = match drawn {
            0 => &bad.client,
            1 => &bad.target,
            _ => &bad.ca,
        };
        way.plan(plan);
        if way.port == bad.ca.port {
            way.cut();
        }
        let begin = Instant::now();
        let output = bad.session(&bytes)?;
        let what = format!("{seed}: {plan:?}, {:?}", begin.elapsed());
        let harmless = [plan.up, plan.down]
            .iter()
            .all(|harm| matches!(harm, Harm::None | Harm::Stall(..)));
        if output.status == 0 {
            assert!(
                output.stdout == bytes,
                "{what}: {} bytes",
                output.stdout.len()
            );
            whole += 1;
        } else {
            // The way to the CA is made anew now and then, and a plan outlives its seed there.
            let no_ca = output.err().contains("the CA cannot be reached");
            assert!(!harmless || no_ca, "{what}: {output}");
            assert_eq!(output.status, 255, "{what}");
            assert!(!output.err().is_empty(), "{what}: nobody was told");
            // Nothing is lost in the middle, doubled, or out of order.
            assert!(bytes.starts_with(&output.stdout), "{what}");
            let last = output.err();
            eprintln!("{what}: {}", last.lines().last().unwrap_or_default());
            ended += 1;
            let late = |harm| matches!(harm, Harm::Cut(at) | Harm::Corrupt(at) if at >= BEGUN);
            let way = usize::try_from(drawn).unwrap_or(usize::MAX);
            if let (true, Some(midst)) = (late(plan.up) || late(plan.down), midst.get_mut(way)) {
                *midst += 1;
            }
        }
    }
    bad.fair();
    eprintln!("{whole} sessions whole, {ended} ended");
    assert!(whole > 5 && ended > 5, "{whole} whole, {ended} ended");
    // Somebody was in the middle of it, on either side of the bastion.
    assert!(midst.iter().all(|ended| *ended > 1), "{midst:?} ended late");
    // Nobody needed a restart.
    let again = again(&bad, &bytes)?;
    assert!(again.stdout == bytes, "{again}");
    // Every session that began has its End.
    bad.world.wait_finished(whole, LIMIT)?;
    let ends = bad.ends()?;
    assert!(ends.len() >= whole, "{} recordings", ends.len());
    for end in ends {
        assert!(end.contains(", \"z\", "), "{end}");
    }
    bad.world.end()
}

/// A session once the network is good again; the bastion may still be on its way to the CA.
fn again(bad: &Bad, bytes: &[u8]) -> Result<Output> {
    let end = Instant::now() + LIMIT;
    loop {
        let output = bad.session(bytes)?;
        if output.status == 0 {
            return Ok(output);
        }
        if Instant::now() > end {
            return Err(Failure::new(format!("nobody gets in again: {output}")));
        }
        thread::sleep(Duration::from_millis(300));
    }
}
