//! The files of a cluster, before its server first runs.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::account::Account;
use crate::{Auth, Binaries, Certificates, ClusterBuilder, Error};

/// The superuser of every cluster.
pub(crate) const SUPERUSER: &str = "postgres";

/// The layout of a cluster's directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        // One letter, because the path of a socket must be short.
        self.root.join("s")
    }

    fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// Runs initdb and writes the configuration and the certificates.
    pub(crate) fn fill(
        &self,
        builder: &ClusterBuilder,
        binaries: &Binaries,
        account: Account,
    ) -> Result<Option<Certificates>, Error> {
        self.directory(&self.socket(), account)?;
        self.run_initdb(builder, binaries, account)?;
        let certificates = match &builder.tls_names {
            Some(names) => {
                self.directory(&self.tls(), account)?;
                Some(Certificates::make(self.tls(), account, names.clone(), SUPERUSER)?)
            }
            None => None,
        };
        let configuration = self.configuration(builder, certificates.as_ref())?;
        append(&self.data().join("postgresql.conf"), &configuration)?;
        account.write(&self.data().join("pg_hba.conf"), &access_rules(builder))?;
        Ok(certificates)
    }

    fn directory(&self, path: &Path, account: Account) -> Result<(), Error> {
        let doing = || Error::io(format!("creating {}", path.display()));
        fs::create_dir(path).map_err(doing())?;
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(doing())?;
        account.own(path)
    }

    fn run_initdb(&self, builder: &ClusterBuilder, binaries: &Binaries, account: Account) -> Result<(), Error> {
        let mut command = binaries.command("initdb");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-U", SUPERUSER, "-E", "UTF8", "--no-sync"])
            .arg(format!("--locale={}", locale()))
            .arg(format!("--auth={}", method(builder)))
            .current_dir(&self.root);
        if binaries.major() >= 14 {
            command.arg("--no-instructions");
        }
        let password_file = self.root.join("password");
        if let Auth::ScramSha256 { password } = &builder.auth {
            if password.is_empty() || password.contains('\n') {
                return Err(Error::Setting("a password must be one line that is not empty".to_owned()));
            }
            account.write(&password_file, password)?;
            command.arg("--pwfile").arg(&password_file);
        }
        account.apply(&mut command);
        let output = command.output().map_err(Error::io("running initdb"))?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            return Err(Error::Program {
                program: "initdb",
                status: output.status,
                output: String::from_utf8_lossy(&text).into_owned(),
            });
        }
        if let Auth::ScramSha256 { .. } = builder.auth {
            fs::remove_file(&password_file).map_err(Error::io("removing the password file"))?;
        }
        Ok(())
    }

    fn configuration(&self, builder: &ClusterBuilder, certificates: Option<&Certificates>) -> Result<String, Error> {
        let mut settings: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
        set("listen_addresses", "127.0.0.1");
        set("unix_socket_directories", &self.socket().to_string_lossy());
        set("max_connections", &builder.max_connections.to_string());
        set("password_encryption", "scram-sha-256");
        // The data need not survive a crash of the machine.
        set("fsync", "off");
        set("synchronous_commit", "off");
        set("full_page_writes", "off");
        set("checkpoint_timeout", "1h");
        // Dropping a database searches all of the buffers.
        set("shared_buffers", "32MB");
        // POSIX shared memory would outlive a killed server, outside its
        // directory.
        set("dynamic_shared_memory_type", "mmap");
        set("logging_collector", "off");
        set("log_line_prefix", "%m [%p] %d ");
        set("lc_messages", "C");
        if let Some(certificates) = certificates {
            let server = certificates.server();
            set("ssl", "on");
            set("ssl_cert_file", &server.certificate.to_string_lossy());
            set("ssl_key_file", &server.key.to_string_lossy());
            set("ssl_ca_file", &certificates.ca().to_string_lossy());
        }
        settings.extend(builder.settings.iter().cloned());
        let mut text = String::from("\n");
        for (name, value) in settings {
            let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            if name.is_empty() || !name.chars().all(valid) || value.contains(['\n', '\r', '\0']) {
                return Err(Error::Setting(format!("{name:?} cannot be set to {value:?} in postgresql.conf")));
            }
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            text.push_str(&format!("{name} = '{value}'\n"));
        }
        Ok(text)
    }
}

fn method(builder: &ClusterBuilder) -> &'static str {
    match builder.auth {
        Auth::Trust => "trust",
        Auth::ScramSha256 { .. } => "scram-sha-256",
    }
}

/// The contents of `pg_hba.conf`.
fn access_rules(builder: &ClusterBuilder) -> String {
    let method = method(builder);
    let mut rules = format!("local all,replication all {method}\n");
    if builder.tls_required {
        rules.push_str("hostnossl all all all reject\n");
    }
    let certificate = if builder.client_certificates { " clientcert=verify-ca" } else { "" };
    let kind = if builder.client_certificates { "hostssl" } else { "host" };
    rules.push_str(&format!("{kind} all,replication all 127.0.0.1/32 {method}{certificate}\n"));
    rules
}

fn append(path: &Path, text: &str) -> Result<(), Error> {
    OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io(format!("writing {}", path.display())))
}

/// A locale that sorts by code point: one that knows Unicode if there is one.
fn locale() -> &'static str {
    let output = Command::new("locale").arg("-a").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let known = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    known.lines().find_map(|name| ["C.UTF-8", "C.utf8"].into_iter().find(|wanted| *wanted == name)).unwrap_or("C")
}
