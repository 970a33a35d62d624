//! The SQL of all contestants that don't write their own.

pub const SCHEMA: &str = include_str!("schema.sql");

/// How many accounts there are, with ids from 1.
pub const ACCOUNTS: i64 = 10_000;
/// How many agents have a history, with ids from 1.
pub const AGENTS: i64 = 20;
/// How many rows are read and written at once.
pub const MANY: usize = 10_000;

pub const POINT_SELECT: &str =
    "SELECT id, name, email, created, score, active, visits, note FROM accounts WHERE id = $1";

/// The newest messages, oldest first.
pub const HISTORY: &str = "
    SELECT newest.id, newest.role::text AS role, newest.content, newest.model_used, newest.tokens_input,
        newest.metadata, newest.created_at, a.name AS agent_name
    FROM (
        SELECT h.id, h.agent_id, h.role, h.content, h.model_used, h.tokens_input, h.metadata, h.created_at
        FROM chat_history h
        WHERE h.agent_id = $1
        ORDER BY h.created_at DESC, h.id DESC
        LIMIT 50
    ) newest JOIN agents a ON a.id = newest.agent_id
    ORDER BY newest.created_at, newest.id";

pub const MANY_ROWS: &str = "SELECT id, name, label, value, created FROM items";

pub const INSERT: &str = "INSERT INTO events (account_id, kind, amount, at) VALUES ($1, $2, $3, $4)";

pub const SLEEP: &str = "SELECT pg_sleep(0.01)::text";

pub const IMPORT_COLUMNS: &[&str] = &["id", "name", "label", "value", "created"];
pub const COPY: &str = "COPY imports (id, name, label, value, created) FROM STDIN (FORMAT binary)";
pub const UNNEST: &str = "INSERT INTO imports (id, name, label, value, created)
    SELECT * FROM unnest($1::int8[], $2::text[], $3::text[], $4::float8[], $5::timestamptz[])";

pub const STREAM: &str = "SELECT n AS id, 'item number ' || n AS name, n * 0.25::float8 AS value
    FROM generate_series(1, $1::int8) AS n";

/// How many rows are in one statement of many `VALUES`.
pub const VALUES_ROWS: usize = 1000;

/// An INSERT of so many rows at once.
pub fn values(rows: usize) -> String {
    let row = |n: usize| format!("(${}, ${}, ${}, ${}, ${})", n * 5 + 1, n * 5 + 2, n * 5 + 3, n * 5 + 4, n * 5 + 5);
    let rows: Vec<_> = (0..rows).map(row).collect();
    format!("INSERT INTO imports (id, name, label, value, created) VALUES {}", rows.join(", "))
}
