use super::*;

#[test]
fn promise_34_no_name_becomes_a_path() {
    let long = "a".repeat(4096);
    for bad in [
        "",
        "../x",
        "a/b",
        "a\0b",
        "a\nb",
        "a b",
        "a,b",
        "*",
        "-x",
        ".x",
        "\u{202e}x",
        &long,
    ] {
        assert!(bad.parse::<PersonName>().is_err(), "{bad:?} as a person");
        assert!(bad.parse::<TargetName>().is_err(), "{bad:?} as a target");
        assert!(bad.parse::<Login>().is_err(), "{bad:?} as a login");
        assert!(bad.parse::<SessionId>().is_err(), "{bad:?} as a session");
        assert!(bad.parse::<RequestId>().is_err(), "{bad:?} as a request");
    }
    assert!("a..b".parse::<TargetName>().is_err());
    assert!(
        "DB1".parse::<TargetName>().is_err(),
        "targets have one spelling"
    );
}

#[test]
fn one_past_each_length_is_refused() {
    assert!("a".repeat(limits::NAME_BYTES).parse::<PersonName>().is_ok());
    assert!(
        "a".repeat(limits::NAME_BYTES + 1)
            .parse::<PersonName>()
            .is_err()
    );
    assert!(
        "a".repeat(limits::TARGET_BYTES)
            .parse::<TargetName>()
            .is_ok()
    );
    assert!(
        "a".repeat(limits::TARGET_BYTES + 1)
            .parse::<TargetName>()
            .is_err()
    );
    assert!("a".repeat(limits::LOGIN_BYTES).parse::<Login>().is_ok());
    assert!(
        "a".repeat(limits::LOGIN_BYTES + 1)
            .parse::<Login>()
            .is_err()
    );
}

#[test]
fn a_principal_is_login_at_target() {
    let principal: Principal = "postgres@db1.prod".parse().unwrap();
    assert_eq!(principal.login.as_str(), "postgres");
    assert_eq!(principal.target.as_str(), "db1.prod");
    assert_eq!(principal.to_string(), "postgres@db1.prod");
    for bad in ["postgres", "@db1", "a@", "a@b@c", "a@b,c@d"] {
        assert!(bad.parse::<Principal>().is_err(), "{bad:?}");
    }
}

#[test]
fn identifiers_survive_how_people_type_them() {
    let id = RequestId::from_random([0xff, 0, 0x12, 0x34, 0x56]);
    assert_eq!(
        id,
        RequestId::from_typed(&id.to_string().to_lowercase()).unwrap()
    );
    assert_eq!(
        "1000-0000".parse::<RequestId>().unwrap(),
        RequestId::from_typed("looo-oooo").unwrap()
    );
    assert!(RequestId::from_typed("7F3K").is_err());
    assert!(RequestId::from_typed("7F3é9QMD").is_err());
}

#[test]
fn session_identifiers_sort_by_time() {
    let early = SessionId::from_parts(1_000, [0xff; 10]);
    let late = SessionId::from_parts(1_001, [0; 10]);
    assert!(early < late);
    assert_eq!(early.as_str().len(), 26);
    assert_eq!(early.to_string().parse::<SessionId>().unwrap(), early);
}
