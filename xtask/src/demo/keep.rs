//! A world that goes on running after the demo.

use std::fs;

use hallpass_tests::{Result, World, programs};

use super::show::Show;

/// Lets the world go on, and says how to enter it and how to end it.
pub(super) fn leave_running(show: &mut Show, mut world: World) -> Result<()> {
    world.keep();
    let root = world.root().to_owned();
    for person in [&world.alice, &world.bob, &world.carol] {
        let home = person.home().display();
        fs::create_dir_all(person.home().join("bin"))?;
        let ssh = person.home().join("bin/ssh");
        fs::write(
            &ssh,
            format!(
                "#!/bin/sh\nexec {} -F {home}/.ssh/config \"$@\"\n",
                programs::find("ssh")?.display()
            ),
        )?;
        make_executable(&ssh)?;
        let enter = format!(
            "export HOME={home} SSH_AUTH_SOCK={home}/agent PATH={home}/bin:{bin}:$PATH PS1='{name}$ '\ncd\n",
            bin = programs::hallpass()?.parent().unwrap_or(&root).display(),
            name = person.name
        );
        fs::write(person.home().join("enter"), enter)?;
    }
    let ids: Vec<String> = world.process_ids().iter().map(u32::to_string).collect();
    let end = root.join("end");
    fs::write(
        &end,
        format!(
            "#!/bin/sh\nkill {}\nrm -rf {}\n",
            ids.join(" "),
            root.display()
        ),
    )?;
    make_executable(&end)?;
    let root = root.display();
    show.title("the world goes on running");
    show.note(&format!(
        "be Alice (or bob, or carol), in a new shell:  sh -c '. {root}/alice/enter; exec sh'\n\
         and then, for example:                        ssh ca help\n\
         the configuration:                            {root}/site/hallpass.toml\n\
         the logs:                                     {root}/*.log {root}/*/sshd.log\n\
         end it and remove it:                         {root}/end"
    ));
    // The guards of its processes must not end them.
    std::mem::forget(world);
    Ok(())
}

fn make_executable(path: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o755),
    )?)
}
