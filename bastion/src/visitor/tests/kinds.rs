//! What is no access certificate of this user CA, whatever else it is.

use super::*;

#[test]
fn promise_26_a_host_certificate_is_not_an_access_certificate() {
    let mint = Mint::new();
    assert_eq!(
        mint.refused(Says { host: true, ..GOOD }),
        Refusal::HostCertificate
    );
}

#[test]
fn promise_26_a_certified_key_is_no_authority() {
    let mint = Mint::new();
    // `other` is certified by the user CA, and signs a certificate of its own.
    mint.certificate(Says {
        subject: "other",
        ..GOOD
    });
    assert_eq!(
        mint.refused(Says {
            ca: "other",
            ..GOOD
        }),
        Refusal::WrongCa
    );
    // And a CA that names a key of another kind than the two is not believed.
    mint.key("ecdsa", "ecdsa-sha2-nistp384");
    assert_eq!(
        Trust::new(&[mint.public("ecdsa")], &[mint.public("host")]),
        Err(BadTrust)
    );
}

#[test]
fn a_ca_in_hardware_may_have_an_ecdsa_key() {
    let mint = Mint::new();
    mint.key("p256", "ecdsa-sha2-nistp256");
    let says = Says { ca: "p256", ..GOOD };
    let certificate = mint.certificate(says);
    let shown = Shown {
        certificate: &certificate,
        user: "postgres%db1.prod",
        inside: None,
        source: "192.0.2.7".parse().unwrap(),
        own: &bastion(),
    };
    let trust = Trust::new(&[mint.public("p256")], &[mint.public("host")]).unwrap();
    assert!(matches!(enter(shown, now(), &trust), Ok(Entry::Visitor(_))));
    assert_eq!(
        enter(shown, now(), &mint.trust()).unwrap_err(),
        Refusal::WrongCa
    );
}

#[test]
fn promise_26_a_ca_key_is_no_user_key() {
    let mint = Mint::new();
    for subject in ["user", "host"] {
        assert_eq!(
            mint.refused(Says { subject, ..GOOD }),
            Refusal::CaKey,
            "{subject}"
        );
    }
}

#[test]
fn promise_26_a_certificate_nested_a_thousand_deep_is_refused_and_nothing_dies() {
    for depth in [9, 100, 1_000] {
        let blob = nested(depth);
        assert!(parse_public_key(&blob).is_err(), "{depth} deep");
    }
    // What is nested less deep than russh looks is parsed, and refused here.
    let mint = Mint::new();
    for depth in 2..9 {
        let certificate = Certificate::from_bytes(&nested(depth)).unwrap();
        let source = "192.0.2.7".parse().unwrap();
        let shown = Shown {
            certificate: &certificate,
            user: "postgres%db1.prod",
            inside: None,
            source,
            own: &bastion(),
        };
        assert_eq!(
            enter(shown, now(), &mint.trust()).unwrap_err(),
            Refusal::CaKind,
            "{depth} deep"
        );
    }
}

/// A certificate whose authority is a certificate whose authority is a certificate …
fn nested(depth: usize) -> Vec<u8> {
    let string = |bytes: &[u8]| {
        let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(bytes);
        out
    };
    let mut inner = [string(b"ssh-ed25519"), string(&[7; 32])].concat();
    for _ in 0..depth {
        inner = [
            string(b"ssh-ed25519-cert-v01@openssh.com"),
            string(&[1; 32]),
            string(&[7; 32]),
            7_u64.to_be_bytes().to_vec(),
            1_u32.to_be_bytes().to_vec(),
            string(b"nested"),
            string(&string(b"postgres@db1.prod")),
            0_u64.to_be_bytes().to_vec(),
            u64::MAX.to_be_bytes().to_vec(),
            string(b""),
            string(b""),
            string(b""),
            string(&inner),
            string(&[string(b"ssh-ed25519"), string(&[0; 64])].concat()),
        ]
        .concat();
    }
    inner
}
