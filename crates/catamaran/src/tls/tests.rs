use super::{DriverMode, SslMode, Tls};
use crate::{Config, Error, ErrorKind};

const ALL: [SslMode; 6] =
    [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];
const STRICT: [SslMode; 3] = [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];

fn config(mode: SslMode) -> Config {
    Config::new().host("localhost").ssl_mode(mode)
}

fn modes(tls: &Tls) -> Vec<DriverMode> {
    tls.attempts().iter().map(|attempt| attempt.mode).collect()
}

#[test]
fn modes_have_libpq_s_names() {
    for mode in ALL {
        assert_eq!(mode.to_string().parse::<SslMode>().unwrap(), mode);
        assert_eq!(serde_json::to_string(&mode).unwrap(), format!("{:?}", mode.as_str()));
        assert_eq!(serde_json::from_str::<SslMode>(&format!("{:?}", mode.as_str())).unwrap(), mode);
    }
    assert_eq!("on".parse::<SslMode>().unwrap_err().kind(), ErrorKind::Config);
    assert!(serde_json::from_str::<SslMode>("\"on\"").is_err());
}

#[cfg(unix)]
#[test]
fn a_socket_has_one_attempt_without_tls() {
    for mode in ALL {
        let tls = Tls::new(&Config::new().host("/run/pg").ssl_mode(mode)).unwrap();
        assert_eq!(modes(&tls), [DriverMode::Disable]);
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_the_strict_modes_are_refused() {
    for mode in ALL {
        match Tls::new(&config(mode)) {
            Ok(tls) => {
                assert!(!STRICT.contains(&mode));
                assert_eq!(modes(&tls), [DriverMode::Disable]);
            }
            Err(error) => {
                assert!(STRICT.contains(&mode));
                assert_eq!(error.kind(), ErrorKind::Config);
                assert!(error.to_string().contains("enable the feature `tls`"));
            }
        }
    }
}

#[cfg(feature = "tls")]
mod with_tls {
    use super::*;
    use std::path::{Path, PathBuf};

    /// A certificate that openssl made; its key was thrown away.
    const CERTIFICATE: &str = include_str!("test_certificate.pem");

    struct File(PathBuf);

    impl File {
        fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            _ = std::fs::remove_file(&self.0);
        }
    }

    fn file(content: &str) -> File {
        let name = format!("catamaran-tls-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        File(path)
    }

    fn failure(config: &Config) -> String {
        let error = Tls::new(config).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Tls);
        error.to_string()
    }

    #[test]
    fn each_mode_has_its_attempts() {
        let root = file(CERTIFICATE);
        for (mode, attempts) in [
            (SslMode::Disable, &[DriverMode::Disable][..]),
            (SslMode::Allow, &[DriverMode::Disable, DriverMode::Require]),
            (SslMode::Prefer, &[DriverMode::Prefer, DriverMode::Disable]),
            (SslMode::Require, &[DriverMode::Require]),
            (SslMode::VerifyCa, &[DriverMode::Require]),
            (SslMode::VerifyFull, &[DriverMode::Require]),
        ] {
            let config = config(mode).ssl_root_cert(root.path());
            let tls = Tls::new(&config).unwrap();
            assert_eq!(modes(&tls), attempts);
            assert_eq!(config.driver().get_ssl_mode(), attempts[0]);
        }
    }

    #[test]
    fn only_prefer_and_allow_try_again() {
        let root = file(CERTIFICATE);
        let tls_failed = Error::new(ErrorKind::Tls, "handshake");
        let not_admitted = Error::server("28000", "no pg_hba.conf entry");
        let wrong_password = Error::server("28P01", "password authentication failed");
        let unreachable = Error::new(ErrorKind::Connect, "refused");
        for mode in ALL {
            let config = config(mode).ssl_root_cert(root.path());
            let tls = Tls::new(&config).unwrap();
            let weak = matches!(mode, SslMode::Prefer | SslMode::Allow);
            assert_eq!(tls.may_try_next(0, &tls_failed), weak);
            assert_eq!(tls.may_try_next(0, &not_admitted), weak);
            assert!(!tls.may_try_next(0, &wrong_password));
            assert!(!tls.may_try_next(0, &unreachable));
            assert!(!tls.may_try_next(1, &tls_failed));
            let several = Tls::new(&config.host("a,b")).unwrap();
            assert_eq!(several.may_try_next(0, &unreachable), weak);
            assert_eq!(
                STRICT.contains(&mode),
                tls.attempts().iter().all(|attempt| attempt.mode == DriverMode::Require)
            );
        }
    }

    #[test]
    fn errors_name_the_file_and_nothing_in_it() {
        let root = failure(&config(SslMode::VerifyFull).ssl_root_cert("/nowhere/ca.pem"));
        assert!(root.starts_with("sslrootcert /nowhere/ca.pem can't be read: "), "{root}");
        let empty = file("nothing");
        let root = failure(&config(SslMode::VerifyCa).ssl_root_cert(empty.path()));
        assert_eq!(root, format!("sslrootcert {} has no certificate in PEM", empty.path().display()));

        let cert = file(CERTIFICATE);
        for key in ["-----BEGIN PRIVATE KEY-----\nhunter!\n-----END PRIVATE KEY-----\n", "-----BEGIN hunter", "hunter"]
        {
            let key = file(key);
            let config = config(SslMode::Prefer).ssl_client_cert(cert.path(), key.path());
            let error = Tls::new(&config).err().unwrap();
            assert_eq!(
                error.to_string(),
                format!("sslkey {} has no unencrypted private key in PEM", key.path().display())
            );
            assert!(std::error::Error::source(&error).is_none());
        }
        // The files are not looked at where TLS is not used.
        assert!(Tls::new(&config(SslMode::Disable).ssl_root_cert("/nowhere").ssl_client_cert("/a", "/b")).is_ok());
    }
}
