//! The engine on both databases, with operators that do as they are told.

mod commands;
mod crash;
mod leading;
mod outcomes;
mod schedule;
mod world;
