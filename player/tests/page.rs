//! The page for a browser, opened in one; and the picture, read by a parser of XML.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{header, recording};
use player::{Format, export};
use record::age::Identities;
use record::recording::{Header, Kind, ReadState, Recorder};

/// What would become a part of the page, if anything could.
const MARKUP: [&str; 6] = [
    "</script><script>document.title='owned'</script>",
    "<!--<script>",
    "]]><img src=x onerror=\"document.title='owned'\">",
    "</title></style></dd><svg onload=\"document.title='owned'\">",
    "\u{2028}\\u003cb\\u003e&lt;i&gt; ' \" ` ${document.title='owned'}",
    "\u{1b}]0;owned\u{7}\u{1b}]8;;javascript:document.title='owned'\u{7}link\u{1b}]8;;\u{7}",
];

fn hostile_header() -> Header {
    let mut of = header(100, 30);
    of.command = Some(MARKUP[2].to_owned());
    of.forced = Some(MARKUP[3].to_owned());
    if let Some(term) = &mut of.term {
        MARKUP[0].clone_into(&mut term.name);
    }
    of
}

fn hostile(recorder: &mut Recorder, clock: &common::HandClock) {
    for text in MARKUP {
        recorder.output(format!("{text}\r\n")).unwrap().into_inner();
        recorder.marker(text).unwrap().into_inner();
        recorder.input(text).unwrap().into_inner();
        clock.step(100_000);
    }
    recorder
        .output("\x1b[1;32mthe last line\x1b[0m 複製 caf\u{e9}\r\n")
        .unwrap()
        .into_inner();
    clock.step(1_000_000);
}

fn exported(path: &Path, format: Format) -> String {
    let mut out = Vec::new();
    let (state, _) = export(path, &Identities::default(), format, &mut out).unwrap();
    assert_eq!(state, ReadState::Finished);
    String::from_utf8(out).unwrap()
}

fn whole(at: Duration, idle: Option<Duration>) -> Format {
    Format::Html {
        at,
        idle,
        from: Duration::ZERO,
        to: None,
    }
}

/// The page as a browser has it after its scripts have run, and what it said to its console.
fn opened(page: &str) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("page.html");
    std::fs::write(&file, page).unwrap();
    let ran = Command::new("timeout")
        .args([
            "60",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--window-size=1200,900",
        ])
        .args(["--enable-logging=stderr", "--virtual-time-budget=3000"])
        .arg(format!(
            "--user-data-dir={}",
            dir.path().join("profile").display()
        ))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .env("HOME", dir.path())
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let said = text(ran.stderr);
    let console: Vec<_> = said
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    (text(ran.stdout), console.join("\n"))
}

#[test]
fn promise_36_a_page_plays_in_a_browser_and_runs_nothing_of_the_recording() {
    let (_dir, path) = recording(&hostile_header(), hostile);
    let at = Duration::from_secs(60);
    let page = exported(&path, whole(at, None));
    let (dom, console) = opened(&page);
    assert_eq!(console, "");
    assert!(
        dom.contains("<title>alice postgres@db1.prod</title>"),
        "{dom}"
    );
    assert_eq!(dom.matches("<script").count(), 4);
    for element in ["<img", "<svg onload", "<i>", "<b>", "href=\"javascript:"] {
        let shown = dom.split("<script").next().unwrap_or_default();
        assert!(!shown.contains(element), "{element}");
    }
    // The player has drawn the last screen.
    assert!(dom.contains("ap-player"), "{dom}");
    assert!(dom.contains("the last line"), "{dom}");

    // A page that keeps none of this out is seen by this very test.
    let (head, rest) = page.split_once("<meta http-equiv").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let open = format!("{head}{}", rest.replace("\\u003c", "<"));
    let (dom, _) = opened(&open);
    assert!(dom.contains("<title>owned</title>"), "{dom}");
}

#[test]
fn promise_39_the_player_of_asciinema_shows_an_exported_v3_as_the_page_s_own() {
    let (_dir, path) = recording(&hostile_header(), |recorder, clock| {
        hostile(recorder, clock);
        recorder.resize(90, 20).unwrap().into_inner();
        recorder.output("after a resize\r\n").unwrap().into_inner();
        clock.step(1_000_000);
    });
    let page = exported(&path, whole(Duration::from_secs(60), None));
    let (head, rest) = page.split_once("id=\"recording\">").unwrap();
    let (own, rest) = rest.split_once("</script>").unwrap();
    let v3 = exported(&path, Format::V3).replace('<', "\\u003c");
    assert!(own.contains("\"version\":2") && v3.contains("\"version\":3"));
    let (dom, console) = opened(&format!("{head}id=\"recording\">{v3}</script>{rest}"));
    assert_eq!(console, "");
    assert_eq!(drawn(&dom), drawn(&opened(&page).0));
    assert!(drawn(&dom).contains(">after a resize"), "{dom}");
    // It is the recording that is shown: a version that nobody knows is not.
    let unknown = v3.replacen("\"version\":3", "\"version\":9", 1);
    let (dom, _) = opened(&format!("{head}id=\"recording\">{unknown}</script>{rest}"));
    assert!(!dom.contains(">after a resize"), "{dom}");
}

/// What the player has drawn of the terminal. The timeline below has the marks, whose control characters the page does not hand on.
fn drawn(dom: &str) -> &str {
    let (_, terminal) = dom.split_once("<div id=\"player\"").unwrap();
    let (terminal, _) = terminal.split_once("ap-control-bar").unwrap();
    terminal
}

#[test]
fn a_page_names_its_scripts_and_fetches_nothing() {
    let (_dir, path) = recording(&hostile_header(), hostile);
    let at = Duration::ZERO;
    let page = exported(&path, whole(at, Some(Duration::from_secs(2))));
    let (_, policy) = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap();
    let (policy, _) = policy.split_once('"').unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe-inline") && !policy.contains("http"),
        "{policy}"
    );
    let (_, data) = page.split_once("id=\"recording\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert!(!data.contains('<'));
    // What stands there is asciicast v2.
    let cast = asciicast_rs::Asciicast::<asciicast_rs::V2>::from_slice(data.as_bytes()).unwrap();
    assert_eq!((cast.header.width, cast.header.height), (100, 30));
    assert!(page.contains("\"idleTimeLimit\":2.0"));
}

#[test]
fn a_session_without_a_terminal_shows_its_lines_in_a_page() {
    let mut of = header(80, 24);
    (of.kind, of.term) = (Kind::Exec, None);
    let (_dir, path) = recording(&of, |recorder, clock| {
        recorder.output("one\ntwo\n").unwrap().into_inner();
        clock.step(1000);
    });
    let page = exported(&path, whole(Duration::ZERO, None));
    assert!(page.contains(r#""one\r\ntwo\r\n""#));
}

#[test]
fn a_picture_is_xml_that_holds_the_screen_of_that_moment() {
    let (dir, path) = recording(&hostile_header(), |recorder, clock| {
        hostile(recorder, clock);
        recorder
            .output("\x1b[2J\x1b[Hlater \u{ffff}\x1b[7;38;5;196mred\x1b[0m")
            .unwrap()
            .into_inner();
        clock.step(1_000_000);
    });
    let read = |at: Duration| {
        let file = dir.path().join("still.svg");
        std::fs::write(&file, exported(&path, Format::Svg { at })).unwrap();
        let script = "import sys,xml.etree.ElementTree as e\n\
            r=e.parse(sys.argv[1]).getroot()\n\
            print(r.tag, sorted({x.tag.split('}')[1] for x in r.iter()}))\n\
            print('\\n'.join(x.text or '' for x in r.iter() if x.tag.endswith('text')))";
        let ran = Command::new("python3")
            .args(["-c", script])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).unwrap()
    };
    let before = read(Duration::from_millis(700));
    assert!(
        before.starts_with("{http://www.w3.org/2000/svg}svg ['rect', 'svg', 'text', 'title']\n"),
        "{before}"
    );
    assert!(
        before.contains(MARKUP[0]) && before.contains("the last line"),
        "{before}"
    );
    let after = read(Duration::from_secs(3600));
    assert!(
        after.contains("later \u{fffd}") && !after.contains("the last line"),
        "{after}"
    );
    let svg = exported(
        &path,
        Format::Svg {
            at: Duration::from_secs(3600),
        },
    );
    assert!(svg.contains("fill=\"#ff0000\"/>"), "{svg}");
}

/// A session whose screen changes its size in the middle, and of which a part is taken.
#[test]
fn a_part_of_a_session_begins_with_its_screen_and_is_resized_as_it_was() {
    let (_dir, path) = recording(&header(80, 24), |recorder, clock| {
        let mut show = |text: &str| {
            recorder.output(text).unwrap().into_inner();
            clock.step(1_000_000);
        };
        show("stands there </script><b>x</b>\r\n");
        show("\x1b[31mred\x1b[0m ");
        recorder.resize(120, 30).unwrap().into_inner();
        let wide = format!("\r\n{}wide\r\n", "-".repeat(110));
        recorder.output(&wide).unwrap().into_inner();
        clock.step(1_000_000);
        recorder.output("too late").unwrap().into_inner();
    });
    let part = |from: u64, to: u64| Format::Html {
        at: Duration::from_secs(60),
        idle: None,
        from: Duration::from_millis(from),
        to: Some(Duration::from_millis(to)),
    };
    let page = exported(&path, part(1500, 2500));
    assert!(page.contains("<dt>a part</dt><dd>from 0:01 to 0:02</dd>"));
    let (dom, console) = opened(&page);
    assert_eq!(console, "");
    assert!(dom.contains("stands there"), "{dom}");
    assert!(dom.contains("wide") && !dom.contains("too late"), "{dom}");
    let page = exported(&path, part(2500, 9000));
    assert!(page.contains("[2.5,\"r\",\"120x30\"]"), "{page}");
    assert!(opened(&page).0.contains("too late"));
    // Where nothing happens stands what was there before.
    for (from, to) in [(1200, 1800), (9000, 9500)] {
        let page = exported(&path, part(from, to));
        assert!(opened(&page).0.contains("stands there"), "{from}: {page}");
    }
}

/// What was cut off in the middle plays up to there, and the page says that it was.
#[test]
fn a_page_of_a_damaged_recording_says_so() {
    let (_dir, path) = recording(&hostile_header(), hostile);
    let stored = std::fs::read(&path).unwrap();
    std::fs::write(&path, &stored[..stored.len() - 20]).unwrap();
    let mut out = Vec::new();
    let format = whole(Duration::from_secs(60), None);
    let (state, _) = export(&path, &Identities::default(), format, &mut out).unwrap();
    assert_eq!(state, ReadState::Damaged);
    let (dom, console) = opened(&String::from_utf8(out).unwrap());
    assert_eq!(console, "");
    assert!(
        dom.contains("this is what comes before the damage"),
        "{dom}"
    );
    assert!(dom.contains("the last line"), "{dom}");
}

#[test]
fn a_page_that_no_browser_opens_well_is_refused_and_its_part_is_not() {
    let (_dir, path) = recording(&header(80, 24), |recorder, clock| {
        let line = format!("{}\r\n", "x".repeat(998));
        let piece = line.repeat(1 << 10);
        for _ in 0..40 {
            recorder.output(&piece).unwrap().into_inner();
            clock.step(1_000_000);
        }
    });
    let mut out = Vec::new();
    let format = whole(Duration::ZERO, None);
    let refused = export(&path, &Identities::default(), format, &mut out).unwrap_err();
    let words = refused.to_string();
    assert!(
        words.contains("more than 32 MiB") && words.contains("--to"),
        "{words}"
    );
    let part = Format::Html {
        at: Duration::ZERO,
        idle: None,
        from: Duration::from_secs(30),
        to: Some(Duration::from_secs(33)),
    };
    let page = exported(&path, part);
    assert!(page.len() < 6 << 20, "{}", page.len());
}

/// A wide character has two cells, and one that combines has none of its own: what follows stands where it stood.
#[test]
fn a_picture_keeps_the_grid_under_wide_and_combining_characters() {
    let (_dir, path) = recording(&header(20, 3), |recorder, _| {
        let text = "\u{8907}\u{88fd}a e\u{301}b \u{1f600}\u{fe0f}c \u{200d}d\r\n";
        recorder.output(text).unwrap().into_inner();
    });
    let svg = exported(
        &path,
        Format::Svg {
            at: Duration::from_secs(1),
        },
    );
    assert!(svg.contains("x=\"10\" y=\"25\" textLength=\"20\""), "{svg}");
    assert!(svg.contains("x=\"30\" y=\"25\" textLength=\"20\""), "{svg}");
    // Each run begins in the column that the emulator says.
    assert!(svg.contains("x=\"50\" y=\"25\""), "{svg}");
}
