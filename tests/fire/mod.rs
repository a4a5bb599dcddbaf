//! Correct under fire: eFiche whole, from outside, while things go wrong.

mod disk;
mod gone;
mod home;
mod kill;
mod same;
