//! What was masked, for whoever may read it.

use proptest::prelude::*;

use super::*;

/// The same, of which somebody may read the original.
fn keeping() -> Mask {
    let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let patterns = [r"Contract-(\d{6})", "secret (?:[a-z]|é|日)+!"];
    let mut terms = terms::Mask {
        known: Maskable::ALL.into(),
        patterns: patterns.map(|text| text.parse().unwrap()).to_vec(),
        ..terms::Mask::default()
    };
    terms.original = config::recipients::Recipients::any(vec![key.parse().unwrap()]).unwrap();
    Mask::new(&terms).unwrap().unwrap()
}

/// What was shown, with what was masked in its place.
fn unmasked(shown: &[u8], hidden: &[Hidden]) -> Vec<u8> {
    let (mut out, mut end) = (Vec::new(), 0);
    for run in hidden {
        out.extend_from_slice(&shown[end..run.at]);
        out.extend_from_slice(&run.bytes);
        end = run.at + run.stars;
        assert!(shown[run.at..end].iter().all(|byte| *byte == b'*'));
    }
    out.extend_from_slice(&shown[end..]);
    out
}

#[test]
fn what_was_masked_is_kept_for_whoever_may_read_it_and_for_nobody_else() {
    let text = b"card 4111 11\x1b[1m11 1111 1111, Contract-123456\n";
    let mut nobody = everything();
    nobody.push(text, Instant::now());
    assert_eq!(nobody.take_hidden(), []);
    let mut mask = keeping();
    let shown = mask.push(text, Instant::now());
    let hidden = mask.take_hidden();
    assert_eq!(shown, b"card **** **\x1b[1m** **** ****, Contract-******\n");
    assert_eq!(unmasked(&shown, &hidden), text);
    assert_eq!(mask.take_hidden(), [], "each is given once");
}

proptest! {
    #[test]
    fn what_was_masked_comes_back_wherever_writes_end(bytes in pieces(), cuts in proptest::collection::vec(0_usize..200, 0..8)) {
        let mut mask = keeping();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let (mut back, mut from) = (Vec::new(), 0);
        for to in cuts.into_iter().chain([bytes.len()]) {
            let shown = mask.push(&bytes[from..to], Instant::now());
            back.extend(unmasked(&shown, &mask.take_hidden()));
            from = to;
        }
        let shown = mask.finish();
        back.extend(unmasked(&shown, &mask.take_hidden()));
        prop_assert_eq!(back, bytes);
    }
}
