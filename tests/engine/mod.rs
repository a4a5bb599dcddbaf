//! The engine on both databases, with operators that do as they are told.

mod outcomes;
mod world;
