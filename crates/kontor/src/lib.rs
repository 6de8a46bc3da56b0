//! The program: the command line, the configuration, and which services run here.
//!
//! **Invariant.** This is the only crate that names every service, besides those that test or
//! measure the whole shop.

pub mod api_page;
pub mod cli;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod gateway;
pub mod gauges;
pub mod import;
pub mod keeping;
pub mod parked;
pub mod parts;
pub mod problems;
pub mod reference;
pub mod run;
pub mod shop;
pub mod site;

/// What went wrong with a command, to be shown with all it stems from.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How a command ended that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well: exit code 0.
    Well,
    /// It has something to report: exit code 2.
    Findings,
}
