//! Database errors, as a person can act on them.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::base::Error;

/// Never passes on a text that may hold a value of a row: PostgreSQL quotes values in its messages about data.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => of_database(&*error),
            sqlx::Error::Io(error) => Error::new("the connection to the database was lost")
                .hint("`galen doctor` checks the connection")
                .because(error)
                .transient(),
            sqlx::Error::PoolTimedOut => {
                Error::new("the database did not give a connection in time")
                    .hint("is the server running? `galen doctor` checks the connection")
                    .transient()
            }
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Error::new("the connection to the database was closed").transient()
            }
            sqlx::Error::Tls(error) => {
                Error::new("the connection to the database cannot be secured").because(error)
            }
            sqlx::Error::RowNotFound => Error::new("a row that must exist does not"),
            sqlx::Error::ColumnDecode { index, .. } => Error::new(format!(
                "column {index} of a result holds a value of another type than expected"
            )),
            sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
                Error::new("a value has another type than its column")
            }
            // the rest speaks of names, protocol and configuration
            other => Error::new("the database failed").because(other),
        }
    }
}

fn of_database(error: &dyn DatabaseError) -> Error {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        of_postgres(error)
    } else if let Some(sqlite) = error.try_downcast_ref::<SqliteError>() {
        of_sqlite(sqlite)
    } else {
        Error::new("the database failed")
    }
}

fn of_postgres(error: &PgDatabaseError) -> Error {
    let code = error.code();
    let table = error.table().unwrap_or("?");
    let name = error.constraint().or(error.column()).unwrap_or("?");
    match code {
        "23505" => Error::new(format!(
            "two rows of table `{table}` share a key (`{name}`)"
        )),
        "23503" => Error::new(format!(
            "a row of table `{table}` points to a row that does not exist (`{name}`)"
        )),
        "23502" => Error::new(format!(
            "column `{name}` of table `{table}` must have a value"
        )),
        "23514" => Error::new(format!(
            "a row of table `{table}` breaks the check `{name}`"
        )),
        "53100" => Error::new("the disk of the database is full")
            .hint("make room; the work goes on by itself")
            .transient(),
        "40001" | "40P01" | "55P03" => {
            Error::new("another transaction held the same rows").transient()
        }
        "28P01" | "28000" => Error::new("the database refused the user or the password")
            .hint("check user and password in GALEN_DATABASE_URL"),
        "3D000" => Error::new("the database named in GALEN_DATABASE_URL does not exist")
            .hint("create it with `createdb`, or name another"),
        "42501" => Error::new("the database user lacks a permission")
            .hint("grant it CREATE on the database, or let an owner run `galen db migrate`")
            .because(error.message().to_owned()),
        "42P01" => Error::new("a table does not exist")
            .hint("`galen db migrate` creates the tables of the run metadata")
            .because(error.message().to_owned()),
        _ => match &code[..2.min(code.len())] {
            "22" => Error::new(format!("a value does not fit its column (SQLSTATE {code})")),
            "08" | "53" | "57" | "58" => Error::new("the database is not available now")
                .because(error.message().to_owned())
                .transient(),
            _ => Error::new(format!("the database refused (SQLSTATE {code})"))
                .because(error.message().to_owned()),
        },
    }
}

fn of_sqlite(error: &SqliteError) -> Error {
    let code: i32 = error
        .code()
        .and_then(|code| code.parse().ok())
        .unwrap_or_default();
    // the low byte is the kind, the rest its detail
    match code & 0xff {
        5 | 6 => Error::new("the database file is locked by another process")
            .hint("a long write is under way; the work goes on when it ends")
            .transient(),
        8 => Error::new("the database file cannot be written")
            .hint("make the file and its folder writable for this user"),
        10 => Error::new("the database file could not be read or written")
            .hint("check the disk and the free space under `state/`")
            .because(error.message().to_owned())
            .transient(),
        11 | 26 => Error::new("the database file is damaged")
            .hint("restore it from a copy, or move it away to start anew")
            .because(error.message().to_owned()),
        13 => Error::new("the disk of the database is full")
            .hint("make room under `state/`; the work goes on by itself")
            .transient(),
        14 => Error::new("the database file cannot be opened")
            .hint("check that `state/` exists and is writable for this user"),
        19 => Error::new("a row breaks a rule of its table").because(error.message().to_owned()),
        _ if error.message().starts_with("no such table") => Error::new("a table does not exist")
            .hint("`galen db migrate` creates the tables of the run metadata")
            .because(error.message().to_owned()),
        _ => Error::new("the database refused").because(error.message().to_owned()),
    }
}
