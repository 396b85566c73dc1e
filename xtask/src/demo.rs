//! The whole product, step by checked step.

use hallpass_tests::Result;

use crate::install;

pub(crate) fn run(_keep: bool) -> Result<()> {
    install::install(install::FOR_THE_DEMO)
}
