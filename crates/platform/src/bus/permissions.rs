//! What a service needs to be allowed to do on the broker, and nothing more: so that whoever gets
//! hold of one service can neither say what another says nor hear what it has no use for.

use std::collections::BTreeSet;

use contracts::Source;

use super::names::Names;
use crate::service::Host;

/// The subjects that the user of one service may publish to and subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// To publish to.
    pub publish: Vec<String>,
    /// To subscribe to.
    pub subscribe: Vec<String>,
}

impl Permissions {
    /// Those of `host`, where names begin with `prefix`.
    pub fn of(host: &dyn Host, prefix: &str) -> Self {
        let (names, service) = (Names::with(prefix), host.source());
        let own = names.stream(service);
        let mut publish: Vec<String> =
            host.publishes().iter().map(|kind| names.subject(kind.name)).collect();
        let among_instances = [names.wake(service), names.changed(service)].map(|s| s.to_string());
        publish.extend(among_instances.clone());
        publish.extend(
            ["INFO", "CREATE", "UPDATE", "DELETE"]
                .map(|verb| format!("$JS.API.STREAM.{verb}.{own}")),
        );
        let publishers: BTreeSet<Source> =
            host.reactions().iter().map(|reaction| reaction.on.source).collect();
        for stream in publishers.into_iter().map(|publisher| names.stream(publisher)) {
            publish.extend([
                format!("$JS.API.CONSUMER.INFO.{stream}.{service}"),
                format!("$JS.API.CONSUMER.CREATE.{stream}.{service}"),
                format!("$JS.API.CONSUMER.CREATE.{stream}.{service}.>"),
                format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{service}"),
                format!("$JS.ACK.{stream}.{service}.>"),
            ]);
        }
        let mut subscribe = vec![format!("{}.>", Names::inbox(service))];
        subscribe.extend(among_instances);
        Self { publish, subscribe }
    }
}
