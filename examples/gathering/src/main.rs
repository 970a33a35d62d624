//! The service. Run with `DATABASE_URL=postgres://… cargo run -p gathering -- serve`.
#![allow(clippy::print_stderr, reason = "a program speaks on its standard error")]

use std::{error::Error, process::ExitCode, time::Duration};

use catamaran::Config;
use gathering::{Args, migrate, seed, serve};

const USAGE: &str = "\
usage: gathering migrate                 bring the schema up to date
       gathering seed                    migrate, then add sample data
       gathering serve [--addr ADDRESS]  migrate, then serve on ADDRESS (127.0.0.1:3000)
The database is that of DATABASE_URL or of libpq's PG… variables.";

/// How long threads that still wait for the database may hold up the end of the program.
const LAST_MOMENT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let result = match args.next().as_deref() {
        Some(command @ ("migrate" | "seed" | "serve")) => run(command, args),
        Some("help" | "--help" | "-h") => {
            eprintln!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gathering: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, args: impl Iterator<Item = String>) -> Result<(), Box<dyn Error + Send + Sync>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let args = Args::parse(args)?;
    let config = Config::from_env()?.application_name("gathering");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        migrate(&config).await?;
        match command {
            "seed" => seed(&config).await,
            "serve" => serve(config, args.addr, |address| tracing::info!("listening on http://{address}")).await,
            _ => Ok(()),
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    result
}
