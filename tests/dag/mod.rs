//! The definition room on folders as people write them.

mod folder;
mod load;
mod mistakes;
mod schema;
mod watch;
