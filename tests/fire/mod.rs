//! Correct under fire: eFiche whole, from outside, while things go wrong.

mod audit;
mod disk;
mod every_event;
mod gone;
pub mod home;
mod kill;
mod same;
mod stop;
