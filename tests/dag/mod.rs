//! The definition room on folders as people write them.

mod checked;
mod folder;
mod load;
mod mistakes;
mod random;
mod schema;
mod shipped;
mod watch;
