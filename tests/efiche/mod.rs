//! Tests: efiche.
