//! `hallpass index`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use config::Config;
use config::words::BastionName;
use record::age::Identities;
use record::recording::index::{Index, build};
use record::recording::reader::ReadError;
use record::recording::verify::{self, Trusted};
use record::recording::{ReadState, Reader, Signer};

use crate::cli::Site;
use crate::failure::{Failure, Result, safe};
use crate::reissue::KeyArgs;
use crate::search::recordings;

/// The arguments of `hallpass index`.
#[derive(Args)]
#[command(
    after_help = "A bastion does this by itself at the end of each session. This is for recordings of before, and for those that a\n\
    crash has ended: run it on the bastion's machine, as its user, since its key signs what it says. Recordings that are\n\
    sealed need a recipient's key as well; without an index they are searched more slowly, and the same is found.\n\n\
    Exit status: 0 all that are finished have their index, 1 some have none, 2 usage."
)]
pub(crate) struct IndexArgs {
    /// Recordings, sessions' identifiers, and directories of recordings; those of the site's bastions on this machine
    /// if left out
    #[arg(value_name = "PLACE")]
    places: Vec<String>,
    /// Make them anew where there is one that can be believed, too
    #[arg(long)]
    anew: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Makes the indexes that are missing.
pub(crate) fn index(site: &Site, args: &IndexArgs) -> Result<ExitCode> {
    let paths = recordings(site, &args.places, None)?;
    let mut making = Making {
        config: site.load()?,
        identities: args.keys.read()?,
        anew: args.anew,
        signers: BTreeMap::new(),
    };
    let (mut made, mut had, mut without) = (0, 0, 0);
    for path in &paths {
        match making.one(path) {
            Ok(Outcome::Made) => made += 1,
            Ok(Outcome::Had) => had += 1,
            Ok(Outcome::Runs) => {}
            Err(why) => {
                without += 1;
                let line = safe(&format!("{}: {why}", path.display()), "");
                writeln!(io::stderr(), "no index: {line}")?;
            }
        }
    }
    writeln!(
        io::stderr(),
        "{made} made, {had} had one, {without} without"
    )?;
    Ok(if without == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

enum Outcome {
    Made,
    /// It has one that can be believed.
    Had,
    /// The session is not over: its bastion makes one then.
    Runs,
}

struct Making {
    config: Config,
    identities: Identities,
    anew: bool,
    signers: BTreeMap<BastionName, Signer>,
}

impl Making {
    fn one(&mut self, path: &Path) -> Result<Outcome> {
        let reader = Reader::open(path, &self.identities)?;
        if reader.state() == ReadState::Unfinished {
            return Ok(Outcome::Runs);
        }
        let anew = self.anew;
        let signer = self.signer(&reader.header().bastion)?;
        let own = Trusted::nobody().and(&signer.name, signer.key.public_key());
        if !anew && Index::of(&reader, &own).is_some() {
            return Ok(Outcome::Had);
        }
        // What is signed here has to be what was signed there, with its times.
        let file = BufReader::new(File::open(path).map_err(ReadError::from)?);
        verify::recording(file, &reader.header().session, &own)?;
        build(&reader, signer, &|| true)?;
        Ok(Outcome::Made)
    }

    fn signer(&mut self, name: &BastionName) -> Result<&Signer> {
        if !self.signers.contains_key(name) {
            let signer = self.read_signer(name)?;
            self.signers.insert(name.clone(), signer);
        }
        self.signers
            .get(name)
            .ok_or_else(|| Failure::new("there is no such bastion"))
    }

    fn read_signer(&self, name: &BastionName) -> Result<Signer> {
        let bastion = self.config.bastions.get(name).ok_or_else(|| {
            Failure::new(format!(
                "the configuration has no bastion {name}, whose key would sign it"
            ))
        })?;
        let key = bastion::identity::load(&bastion.data.join("identity"), &bastion.identity)?;
        Ok(Signer {
            name: name.clone(),
            key,
        })
    }
}
