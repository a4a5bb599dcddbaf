//! Tests: fire.
