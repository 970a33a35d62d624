//! PostgreSQL and what else is needed, installed where it is missing.

use std::{
    env,
    process::{Command, Stdio},
};

use catamaran_testkit::{BINARIES_VARIABLE, Binaries, Error as TestkitError, MAJOR_VARIABLE, PgBouncer};

use crate::error::{Error, Result};

/// Debian's package makes a cluster and starts it, for which there is no use here, unless it is told otherwise.
const APT: &str = "\
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends postgresql-common
folder=/etc/postgresql-common/createcluster.d
mkdir -p $folder
trap 'rm -f $folder/catamaran.conf' EXIT
echo 'create_main_cluster = false' >$folder/catamaran.conf
apt-get install --yes --no-install-recommends postgresql{-major}";

/// A package manager, and the shell script that installs a server with it.
#[derive(Debug)]
struct Manager {
    program: &'static str,
    as_root: bool,
    /// `{-major}`, `{major}` and `{@major}` stand for the version and what separates it, if one was asked for.
    script: &'static str,
}

/// Those that may stand beside another, such as Homebrew, last.
const MANAGERS: &[Manager] = &[
    Manager { program: "apt-get", as_root: true, script: APT },
    Manager { program: "dnf", as_root: true, script: "dnf install --assumeyes postgresql-server" },
    Manager { program: "yum", as_root: true, script: "yum install --assumeyes postgresql-server" },
    Manager { program: "apk", as_root: true, script: "apk add postgresql{major}" },
    Manager { program: "pacman", as_root: true, script: "pacman -Sy --noconfirm --needed postgresql" },
    Manager { program: "zypper", as_root: true, script: "zypper --non-interactive install postgresql{major}-server" },
    Manager { program: "brew", as_root: false, script: "brew install postgresql{@major}" },
];

/// What Homebrew installs when no version is asked for; it has no formula without one.
const HOMEBREW_MAJOR: &str = "17";

/// A package beside the server.
#[derive(Debug)]
pub(crate) struct Extra {
    /// What tells that it is there.
    program: &'static str,
    args: &'static [&'static str],
    /// Package managers, and the shell script that installs it with each.
    scripts: &'static [(&'static str, &'static str)],
}

/// What diesel links.
pub(crate) const LIBPQ: Extra = Extra {
    program: "pg_config",
    args: &["--libdir"],
    scripts: &[
        ("apt-get", "apt-get update && apt-get install --yes --no-install-recommends libpq-dev"),
        ("dnf", "dnf install --assumeyes libpq-devel"),
        ("apk", "apk add libpq-dev"),
        ("pacman", "pacman -Sy --noconfirm --needed postgresql-libs"),
        ("zypper", "zypper --non-interactive install postgresql-devel"),
        ("brew", "brew install libpq"),
    ],
};

/// What counts instructions.
pub(crate) const VALGRIND: Extra = Extra {
    program: "valgrind",
    args: &["--version"],
    scripts: &[
        ("apt-get", "apt-get update && apt-get install --yes --no-install-recommends valgrind"),
        ("dnf", "dnf install --assumeyes valgrind"),
        ("apk", "apk add valgrind"),
        ("pacman", "pacman -Sy --noconfirm --needed valgrind"),
        ("zypper", "zypper --non-interactive install valgrind"),
    ],
};

/// What tests stand in front of the server. Debian's package starts it as a service, for which there is no use here.
const PGBOUNCER: Extra = Extra {
    program: "pgbouncer",
    args: &["--version"],
    scripts: &[
        (
            "apt-get",
            "export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends pgbouncer
systemctl disable --now pgbouncer >/dev/null 2>&1 || true",
        ),
        ("dnf", "dnf install --assumeyes pgbouncer"),
        ("apk", "apk add pgbouncer"),
        ("pacman", "pacman -Sy --noconfirm --needed pgbouncer"),
        ("zypper", "zypper --non-interactive install pgbouncer"),
        ("brew", "brew install pgbouncer"),
    ],
};

/// Whoever runs this.
#[derive(Debug, Clone, Copy)]
struct User {
    is_root: bool,
    has_sudo: bool,
}

impl Manager {
    fn script(&self, major: Option<&str>) -> String {
        let after = |separator: &str, major: Option<&str>| major.map_or(String::new(), |m| format!("{separator}{m}"));
        self.script
            .replace("{-major}", &after("-", major))
            .replace("{major}", &after("", major))
            .replace("{@major}", &after("@", major.or(Some(HOMEBREW_MAJOR))))
    }

    /// The program that runs the script, and its first arguments.
    fn shell(&self, user: User) -> Result<(&'static str, &'static [&'static str])> {
        match user {
            _ if !self.as_root => Ok(("sh", &["-ec"])),
            User { is_root: true, .. } => Ok(("sh", &["-ec"])),
            User { has_sudo: true, .. } => Ok(("sudo", &["sh", "-ec"])),
            _ => Err(Error::new("installing it needs root, and there is no sudo")),
        }
    }
}

/// Finds PostgreSQL's server or installs it with the system's package manager.
pub(crate) fn ensure_postgres() -> Result<()> {
    let missing = match Binaries::find() {
        Ok(_) => return Ok(()),
        Err(error @ TestkitError::BinariesMissing { .. }) => error,
        Err(error) => return Err(error.into()),
    };
    let fail = |why: String| Err(Error::new(format!("{missing}\n{why}")));
    if env::var_os(BINARIES_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return fail(format!("{BINARIES_VARIABLE} says where to look, so none was installed"));
    }
    let Some(manager) = MANAGERS.iter().find(|manager| is_there(manager.program)) else {
        return fail("no package manager was found to install it with".into());
    };
    let (shell, first) = match manager.shell(User { is_root: is_root(), has_sudo: is_there("sudo") }) {
        Ok(shell) => shell,
        Err(error) => return fail(error.to_string()),
    };
    let major = env::var(MAJOR_VARIABLE).ok().filter(|major| !major.is_empty());
    let script = manager.script(major.as_deref());
    eprintln!("PostgreSQL is missing. It is installed now, by {shell} {}:\n{script}", first.join(" "));
    let status = Command::new(shell).args(first).arg(&script).status();
    let status = status.map_err(Error::io(format!("running {shell}")))?;
    if !status.success() {
        return fail(format!("{} could not install it ({status})", manager.program));
    }
    Binaries::find()?;
    Ok(())
}

/// Finds PgBouncer, which need not be in `PATH`, or installs it.
pub(crate) fn ensure_pgbouncer() -> Result<()> {
    match PgBouncer::find() {
        Ok(_) => Ok(()),
        Err(TestkitError::PgBouncerMissing) => install(&PGBOUNCER),
        Err(error) => Err(error.into()),
    }
}

/// Installs a package where it is missing.
pub(crate) fn ensure(extra: &Extra) -> Result<()> {
    let mut asked = Command::new(extra.program);
    asked.args(extra.args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if asked.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    install(extra)
}

fn install(extra: &Extra) -> Result<()> {
    let known = MANAGERS.iter().filter_map(|manager| {
        let (_, script) = extra.scripts.iter().find(|(program, _)| *program == manager.program)?;
        Some((manager, script))
    });
    let mut known = known.filter(|(manager, _)| is_there(manager.program));
    let Some((manager, script)) = known.next() else {
        return Err(Error::new(format!("{} is missing, and it is not known how to install it here", extra.program)));
    };
    let (shell, first) = manager.shell(User { is_root: is_root(), has_sudo: is_there("sudo") })?;
    eprintln!("{} is missing. It is installed now, by {shell} {}:\n{script}", extra.program, first.join(" "));
    let status = Command::new(shell).args(first).arg(script).status();
    match status.map_err(Error::io(format!("running {shell}")))? {
        status if status.success() => Ok(()),
        status => Err(Error::new(format!("{} could not install it ({status})", manager.program))),
    }
}

fn is_there(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(program: &str) -> &'static Manager {
        MANAGERS.iter().find(|manager| manager.program == program).unwrap()
    }

    #[test]
    fn a_version_is_asked_for_as_each_manager_names_it() {
        let script = |program, major| manager(program).script(major);
        assert!(script("apt-get", None).ends_with(" postgresql"));
        assert!(script("apt-get", Some("16")).ends_with(" postgresql-16"));
        assert_eq!(script("zypper", Some("16")), "zypper --non-interactive install postgresql16-server");
        assert_eq!(script("apk", None), "apk add postgresql");
        assert_eq!(script("brew", None), "brew install postgresql@17");
        assert_eq!(script("brew", Some("16")), "brew install postgresql@16");
        for manager in MANAGERS {
            assert!(!manager.script(Some("16")).contains('{'), "{manager:?}");
        }
    }

    #[test]
    fn only_root_needs_no_sudo() {
        let nobody = User { is_root: false, has_sudo: false };
        let shell = |program, user| manager(program).shell(user).map(|(shell, _)| shell).ok();
        assert_eq!(shell("apt-get", User { is_root: true, ..nobody }), Some("sh"));
        assert_eq!(shell("apt-get", User { has_sudo: true, ..nobody }), Some("sudo"));
        assert_eq!(shell("apt-get", nobody), None);
        assert_eq!(shell("brew", nobody), Some("sh"));
    }
}
