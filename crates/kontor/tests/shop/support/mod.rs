//! What the tests of the whole shop share: a running shop on either engine, people who use it over
//! HTTP, and a judgement at the end.

pub mod apart;
pub mod ask;
pub mod browser;
pub mod clerk;
pub mod invoice;
pub mod processes;
pub mod program;
pub mod provider;
pub mod shopper;
pub mod world;

pub use ask::Answer;
pub use shopper::Shopper;
pub use world::{Engine, World};

/// Runs each scenario on each engine, as a test of its own.
macro_rules! on_both_engines {
    ($($scenario:ident),* $(,)?) => { $(
        mod $scenario {
            use crate::support::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$scenario(Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                super::$scenario(Engine::Postgres).await;
            }
        }
    )* };
}

/// Runs each scenario on both engines, and once more against separate processes, two of each service
/// behind two gateways. Those that move the time stay with [`on_both_engines`]: processes go by the
/// time of their database, and that by the machine's.
macro_rules! everywhere {
    ($($scenario:ident),* $(,)?) => {
        crate::support::on_both_engines!($($scenario),*);

        mod apart {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario(crate::support::Engine::Processes).await;
                }
            )*
        }
    };
}

pub(crate) use everywhere;
pub(crate) use on_both_engines;
