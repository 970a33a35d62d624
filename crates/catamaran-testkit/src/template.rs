//! A prepared database to copy.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use postgres::Client;

use crate::{Database, Error, Server, admin};

/// The first key of the advisory locks that guard the making of templates.
const LOCK_CLASS: i32 = 0x6361_7461;

/// A database that tests copy instead of migrating and seeding their own.
///
/// A template belongs to its server and stays until the server ends. The name
/// is all that identifies it: a template whose contents change while its server
/// lives on needs a new name. When several processes ask for the same one, the
/// first fills it and the others wait.
#[derive(Clone, Debug)]
pub struct Template {
    server: Server,
    name: String,
}

impl Template {
    pub(crate) fn prepare<F, E>(server: &Server, name: &str, setup: F) -> Result<Self, Error>
    where
        F: FnOnce(&str) -> Result<(), E> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > 40 || !name.chars().all(allowed) {
            return Err(Error::Setting(format!(
                "a template's name must be 1 to 40 lower-case letters, digits and underscores, not {name:?}"
            )));
        }
        let template = Self { server: server.clone(), name: format!("template_{name}") };
        admin::with_maintenance(server, |client| {
            // The lock ends with the connection at the latest, so a process
            // that dies while filling a template does not block the others.
            client
                .execute("SELECT pg_advisory_lock($1, hashtext($2))", &[&LOCK_CLASS, &template.name])
                .map_err(Error::sql("locking a template"))?;
            if template.is_complete(client)? {
                return Ok(());
            }
            template.run(client, "DROP DATABASE IF EXISTS {} WITH (FORCE)")?;
            template.run(client, "CREATE DATABASE {} TEMPLATE template0")?;
            let url = server.url(&template.name);
            // The closure is not used again after a panic.
            match catch_unwind(AssertUnwindSafe(|| admin::on_own_thread(|| setup(&url)))) {
                Ok(Ok(Ok(()))) => template.seal(client),
                failed => {
                    template.run(client, "DROP DATABASE IF EXISTS {} WITH (FORCE)")?;
                    match failed {
                        Err(panic) => resume_unwind(panic),
                        Ok(result) => result?.map_err(|error| Error::Setup(error.into())),
                    }
                }
            }
        })?;
        Ok(template)
    }

    /// The name of the template's database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates a copy, dropped when the returned value is.
    ///
    /// # Errors
    ///
    /// [`Error::Sql`] if the server cannot be reached or refuses.
    pub fn database(&self) -> Result<Database, Error> {
        Database::create(&self.server, &self.name)
    }

    /// Whether the template was filled to the end.
    fn is_complete(&self, client: &mut Client) -> Result<bool, Error> {
        let query = "SELECT FROM pg_database WHERE datname = $1 AND datistemplate";
        let row = client.query_opt(query, &[&self.name]).map_err(Error::sql("looking for a template"))?;
        Ok(row.is_some())
    }

    /// Closes the template to connections, since nobody can copy a database
    /// that is in use, and marks it as complete.
    fn seal(&self, client: &mut Client) -> Result<(), Error> {
        self.run(client, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS false")?;
        admin::terminate_backends(client, &self.name)?;
        self.run(client, "ALTER DATABASE {} WITH IS_TEMPLATE true")
    }

    fn run(&self, client: &mut Client, statement: &str) -> Result<(), Error> {
        client
            .batch_execute(&statement.replace("{}", &admin::quote(&self.name)))
            .map_err(Error::sql(format!("preparing template {}", self.name)))
    }
}
