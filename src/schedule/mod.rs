//! The `schedule` room.
