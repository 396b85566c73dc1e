//! One small file whose role, and whose last tables, a test writes.

use std::path::Path;

use config::{Config, ConfigError};

pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1VqaF0AhXU6AuNZmCP5fxb0YIdYG7MnQ3Uo1NDzUF8";
pub(crate) const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBAhC9AG2MjR0S9PwiUIEGyXPIJYfnDgeyS3jpU/kF6c";

/// A file whose lines from 22 on are `role`, and whose last lines are `table`.
pub(crate) fn file(role: &str, table: &str) -> String {
    format!(
        "[ca]
listen = \"127.0.0.1:7022\"
address = \"localhost:7022\"

[bastion.edge]
listen = \"127.0.0.1:7023\"
address = \"localhost:7023\"
identity = \"{OTHER}\"

[person.alice]
groups = [\"oncall\"]
keys = [\"{KEY}\"]

[target.\"db1.prod\"]
address = \"10.1.2.3:22\"
host = \"ca\"

[role.db]
groups = [\"oncall\"]
logins = [\"postgres\"]
targets = [\"db1.prod\"]
{role}
approvals = {{ count = 0 }}
{table}"
    )
}

pub(crate) fn load(role: &str, table: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("hallpass.toml"), file(role, table))
}
