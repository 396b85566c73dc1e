//! The patterns behind the names that a role may mask by. Of each, the first group is masked: what stands before it says which kind of
//! secret it is, and tells nothing.

use config::terms::{Mask, Maskable};

/// Where the lines of a private key begin (RFC 7468 §2, §10, and OpenSSH's PROTOCOL.key). What follows is read by
/// [`block`](super::block).
pub(super) const BLOCK: &str = "-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----()";

/// Private keys and access keys.
const KEYS: [&str; 4] = [
    BLOCK,
    // AWS, "IAM identifiers", and their secret halves where a file or a variable names them.
    r"\b(?:AKIA|ASIA)([A-Z0-9]{16})\b",
    r#"(?i)aws_?secret_?access_?key["' ]{0,3}[=:]["' ]{0,3}([A-Za-z0-9/+]{40})"#,
    "AGE-SECRET-KEY-1([A-Z0-9]{58})",
];

/// Tokens, by the prefixes that their issuers gave them so that they are found.
const TOKENS: [&str; 12] = [
    r"\bgh[pousr]_([A-Za-z0-9]{36,})",
    r"\bgithub_pat_([A-Za-z0-9_]{22,})",
    r"\bgl(?:pat|dt|rt|ptt|ft|soat|cbt|imt|agent)-([A-Za-z0-9_-]{20,})",
    r"\bxox[abeoprs]-([A-Za-z0-9-]{10,})",
    r"\bxapp-([A-Za-z0-9-]{10,})",
    // RFC 7519: two JSON objects in base64url, and a signature.
    r"\beyJ([A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
    r"\b[rs]k_live_([A-Za-z0-9]{16,})",
    r"\bnpm_([A-Za-z0-9]{36})\b",
    r"\bpypi-([A-Za-z0-9_-]{50,})",
    r"\bAIza([A-Za-z0-9_-]{35})",
    r"\bhv[sbr]\.([A-Za-z0-9_-]{24,})",
    // RFC 6750 §2.1.
    r"(?i)\bbearer ([A-Za-z0-9._~+/-]{20,}=*)",
];

/// All patterns of these terms.
pub(super) fn patterns(terms: &Mask) -> Vec<&str> {
    let known = |what, patterns: &'static [&'static str]| {
        let named = terms.known.contains(&what);
        patterns.iter().copied().filter(move |_| named)
    };
    let own = terms.patterns.iter().map(config::pattern::Pattern::as_str);
    known(Maskable::Keys, &KEYS)
        .chain(known(Maskable::Tokens, &TOKENS))
        .chain(own)
        .collect()
}
