//! Connections to SQLite and PostgreSQL, and what it takes to run one SQL text on both.
//!
//! Belongs here: opening a database, units of work, bulk rows as parameters, word that others wrote, and database errors as
//! [`Error`](crate::base::Error)s. Does not belong here: any table and any statement about one.

mod apart;
mod bell;
mod chunks;
mod column;
mod conn;
mod copy;
mod database;
mod error;
mod filter;
mod frozen;
mod migrate;
mod name;
mod row;
mod rows;
mod sqlite;
mod work;

pub use crate::on_conn;
pub use apart::ReadApart;
pub use bell::Bell;
pub use column::Text;
pub use conn::Conn;
pub use copy::{CopyText, copy_out};
pub use database::Database;
pub use filter::Filter;
pub use migrate::{Migration, MigrationStatus};
pub use name::quote;
pub use row::AnyRow;
pub use rows::{FromAnyRow, Insertion, Rows};
pub use work::{ReadConn, Tx};
