//! The whole shop under a seeded scheduler with faults.
