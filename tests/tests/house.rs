//! The house itself: which crate may know which, and where the dangerous calls stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use hallpass_tests::failure::Context;
use hallpass_tests::{Failure, Result};

/// What each of our crates may depend on, and nothing else of ours.
const EDGES: &[(&str, &[&str])] = &[
    ("hallpass-config", &[]),
    ("hallpass-record", &["hallpass-config"]),
    ("hallpass-ca", &["hallpass-config", "hallpass-record"]),
    ("hallpass-bastion", &["hallpass-config", "hallpass-record"]),
    ("hallpass-player", &["hallpass-config", "hallpass-record"]),
    (
        "hallpass",
        &[
            "hallpass-config",
            "hallpass-record",
            "hallpass-ca",
            "hallpass-bastion",
            "hallpass-player",
        ],
    ),
    // The harness runs the program and links nothing of it; the tests read its formats.
    ("hallpass-tests", &["hallpass-config", "hallpass-record"]),
    // What strangers send, through each parser; nothing links it.
    (
        "hallpass-fuzz",
        &[
            "hallpass-config",
            "hallpass-record",
            "hallpass-ca",
            "hallpass-bastion",
        ],
    ),
    ("xtask", &["hallpass-tests"]),
];

/// Where our source is.
const SOURCES: &[&str] = &[
    "config", "record", "ca", "bastion", "player", "src", "tests", "fuzz", "xtask",
];

/// Longest source file, in lines: longer ones are carved by subject.
const LINES: usize = 400;

#[test]
fn no_file_is_longer_than_is_read_at_once() -> Result<()> {
    let mut wrong = Vec::new();
    for directory in SOURCES {
        for path in sources(&root().join(directory))? {
            let lines = fs::read_to_string(&path)
                .context(path.display())?
                .lines()
                .count();
            if lines > LINES {
                wrong.push(format!("{}: {lines} lines of {LINES}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn crates_know_only_the_crates_before_them() -> Result<()> {
    let metadata = metadata()?;
    let ours: BTreeSet<String> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let allowed = EDGES
            .iter()
            .find(|(name, _)| *name == package.name.as_str());
        let allowed = allowed.map(|(_, to)| *to).unwrap_or_default();
        for to in package
            .dependencies
            .iter()
            .filter(|to| ours.contains(&to.name))
        {
            if !allowed.contains(&to.name.as_str()) {
                wrong.push(format!("{} -> {}", package.name, to.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "edges that ARCHITECTURE.md does not draw: {}",
        wrong.join(", ")
    );
    Ok(())
}

#[test]
fn every_crate_has_its_place_among_the_edges() -> Result<()> {
    let ours: BTreeSet<String> = metadata()?
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let drawn: BTreeSet<String> = EDGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        ours, drawn,
        "the workspace's crates and the crates of the drawing"
    );
    Ok(())
}

#[test]
fn the_harness_links_nothing_of_the_program() -> Result<()> {
    let metadata = metadata()?;
    let tree = tree(&metadata, "hallpass-tests")?;
    let linked: Vec<_> = tree
        .iter()
        .filter(|name| name.starts_with("hallpass-") && *name != "hallpass-tests")
        .collect();
    assert!(
        linked.is_empty(),
        "hallpass-tests links {linked:?} outside its tests"
    );
    Ok(())
}

#[test]
fn promise_41_the_bastion_links_no_signing_of_certificates() -> Result<()> {
    let metadata = metadata()?;
    let tree = tree(&metadata, "hallpass-bastion")?;
    // The walk does see what the bastion links; without this the test could pass on an empty tree.
    for linked in ["hallpass-config", "hallpass-record", "russh", "ssh-key"] {
        assert!(tree.contains(linked), "the walk does not find {linked}");
    }
    for forbidden in ["hallpass-ca", "redb"] {
        assert!(
            !tree.contains(forbidden),
            "hallpass-bastion links {forbidden}"
        );
    }
    Ok(())
}

#[test]
fn promise_41_the_bastion_s_source_neither_builds_certificates_nor_names_the_ca_s_keys()
-> Result<()> {
    let forbidden = [
        "certificate::Builder",
        "all_principals_valid",
        "disallowed_methods",
        "keys/user",
        "keys/session",
        "keys/host",
        "keys/door",
        "keys/log",
    ];
    let mut wrong = Vec::new();
    let mut read = 0;
    // What the bastion links of ours is as good as its own source.
    for directory in ["bastion/src", "record/src", "config/src"] {
        for path in sources(&root().join(directory))? {
            read += 1;
            let text = fs::read_to_string(&path).context(path.display())?;
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in program.lines().enumerate() {
                let Some(word) = forbidden.iter().find(|word| line.contains(**word)) else {
                    continue;
                };
                // The clock is the one place that may read the wall clock, and says so by this very lint.
                if *word == "disallowed_methods" && path.ends_with("clock.rs") {
                    continue;
                }
                wrong.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert!(read > 3, "only {read} source files were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn exclusions_carry_their_reason() -> Result<()> {
    let mut wrong = Vec::new();
    for crate_directory in SOURCES {
        for path in sources(&root().join(crate_directory))? {
            let text = fs::read_to_string(&path).context(path.display())?;
            for (at, _) in text.match_indices("[expect(") {
                let attribute = text
                    .get(at..)
                    .and_then(|rest| rest.split(")]").next())
                    .unwrap_or_default();
                if !attribute.contains("reason") {
                    wrong.push(format!("{}: {attribute}", path.display()));
                }
            }
        }
    }
    wrong.retain(|line| !line.contains("tests/tests/house.rs"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn promises_and_their_tests_name_each_other() -> Result<()> {
    let page = fs::read_to_string(root().join("PROMISES.md"))?;
    let named: BTreeSet<String> = page
        .split('`')
        .filter_map(|quoted| quoted.split_once(".rs::"))
        .map(|(file, name)| format!("{file}.rs::{name}"))
        .collect();
    let mut written = BTreeSet::new();
    for directory in SOURCES {
        for path in sources(&root().join(directory))? {
            let text = fs::read_to_string(&path).context(path.display())?;
            let file = path
                .strip_prefix(root())
                .unwrap_or(&path)
                .display()
                .to_string();
            for definition in text.split("fn promise_").skip(1) {
                let name: String = definition
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if name.starts_with(|c: char| c.is_ascii_digit()) {
                    written.insert(format!("{file}::promise_{name}"));
                }
            }
        }
    }
    let missing: Vec<_> = written.difference(&named).collect();
    assert!(
        missing.is_empty(),
        "tests that PROMISES.md does not name: {missing:#?}"
    );
    let gone: Vec<_> = named.difference(&written).collect();
    assert!(
        gone.is_empty(),
        "tests that PROMISES.md names and nobody wrote: {gone:#?}"
    );
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cargo metadata")
}

/// The names of everything that a crate links, itself included: what only its tests or its build
/// scripts use is left out.
fn tree(metadata: &Metadata, name: &str) -> Result<BTreeSet<String>> {
    let resolve = metadata
        .resolve
        .as_ref()
        .ok_or_else(|| Failure::new("cargo metadata resolved nothing"))?;
    let nodes: BTreeMap<&PackageId, _> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let start = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == name)
        .ok_or_else(|| Failure::new(format!("no package {name}")))?;
    let mut seen = BTreeSet::new();
    let mut open = vec![&start.id];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        for to in nodes
            .get(id)
            .map(|node| node.deps.as_slice())
            .unwrap_or_default()
        {
            if to
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
            {
                open.push(&to.pkg);
            }
        }
    }
    Ok(seen
        .into_iter()
        .filter_map(|id| names.get(id).map(|name| (*name).to_owned()))
        .collect())
}

fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).context(directory.display())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}
