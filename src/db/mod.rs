//! Connections to SQLite and PostgreSQL, and the macro that runs one SQL text on both.
