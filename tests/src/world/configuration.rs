//! What the usual world's configuration says.

use super::{Setup, World, public_half};
use crate::{Result, keys};

/// What may be asked for in the usual world.
const ROLES: &str = r#"
[role.db-oncall]
groups = ["oncall"]
logins = ["LOGIN", "backup"]
targets = ["db1.prod"]
longest = "30m"
approvals = { count = 1, from = "sre" }
break-glass = true

[role.web-look]
groups = ["oncall"]
logins = ["LOGIN"]
targets = ["web1.prod"]
longest = "30m"
approvals = { count = 0 }

[role.db-disk]
groups = ["sre"]
logins = ["LOGIN"]
targets = ["db1.prod"]
command = "echo forced; id -un"
approvals = { count = 0 }

[role.web-two]
groups = ["sre"]
logins = ["LOGIN"]
targets = ["web1.prod"]
approvals = { count = 1, from = "sre" }

"#;

/// Where the lines of [`Setup::look`] stand.
const LOOK: &str = "[role.web-look]\n";

impl World {
    pub(super) fn configuration(&self, setup: &Setup) -> Result<String> {
        let identity = public_half(&self.bastion_key())?;
        let mut text = format!(
            "[ca]\nlisten = \"127.0.0.1:{ca}\"\naddress = \"127.0.0.1:{ca}\"\n{more}\n\
             [bastion.bastion]\nlisten = \"127.0.0.1:{bastion}\"\naddress = \"127.0.0.1:{bastion}\"\n\
             identity = \"{identity}\"\nsource = [\"127.0.0.1/32\"]\n\n\
             [target.\"db1.prod\"]\naddress = \"127.0.0.1:{db1}\"\nhost = \"ca\"\nlabels = {{ kind = \"database\" }}\n\n\
             [target.\"web1.prod\"]\naddress = \"127.0.0.1:{web1}\"\nhost = \"{web1_key}\"\n\n",
            ca = self.ca_port,
            more = setup.ca,
            bastion = self.bastion_port,
            db1 = self.db1.port,
            web1 = self.web1.port,
            web1_key = keys::public_line(&self.web1.host_key())?,
        );
        let people = [
            (&self.alice, "\"oncall\""),
            (&self.bob, "\"sre\""),
            (&self.carol, "\"sre\", \"security\""),
        ];
        for (person, groups) in people {
            let key = keys::public_line(&person.key())?;
            let table = format!(
                "[person.{}]\ngroups = [{groups}]\nkeys = [\"{key}\"]\n\n",
                person.name
            );
            text.push_str(&table);
        }
        text += &ROLES.replace(LOOK, &format!("{LOOK}{}\n", setup.look));
        text += &setup.extra;
        Ok(text.replace("LOGIN", &self.login))
    }
}
