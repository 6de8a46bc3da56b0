//! `kontor run gateway`: the public API in front of services that run elsewhere.
//!
//! A path belongs to the service whose description has it, and is known from the services' code, not
//! from the services: the gateway starts, and says what there is, while all of them are down. It
//! decides nothing and keeps nothing, so there may be any number of gateways.
//!
//! **Invariant.** No request reaches a service but by the table, and none by more than one entry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use contracts::Source;
use platform::http::client::{ClientLimits, Deadline, LONGEST_WAIT, ServiceClient};
use platform::http::{Allowance, HttpContext, allow, openapi};
use platform::tasks::CancellationToken;
use tower::ServiceBuilder;
use utoipa::openapi::OpenApi;

use crate::Failure;
use crate::shop::Shop;
use crate::site::{self, PREFIX};

/// Between a deadline of the service, ours for it and that of our own listener: who is nearer to what
/// went wrong says so first.
const LATER: Duration = Duration::from_secs(1);

/// Which service answers which path.
#[derive(Debug)]
pub struct Table(BTreeMap<String, Entry>);

/// Who answers a path, and what they allow if it is not the usual.
#[derive(Debug)]
struct Entry {
    service: Source,
    allowance: Option<Allowance>,
}

/// A path that two services call theirs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} belongs to {} and to {}", .services.0, .services.1)]
pub struct TwoOwners {
    path: String,
    services: (Source, Source),
}

impl Table {
    /// The table of services that describe themselves so.
    ///
    /// # Errors
    /// [`TwoOwners`].
    pub fn of<'a>(
        services: impl IntoIterator<Item = (Source, &'a OpenApi)>,
    ) -> Result<Self, TwoOwners> {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for (service, api) in services {
            for (path, item) in &api.paths.paths {
                let entry = Entry { service, allowance: openapi::allowance(item) };
                if let Some(other) = entries.insert(path.clone(), entry) {
                    let services = (other.service, service);
                    return Err(TwoOwners { path: path.clone(), services });
                }
            }
        }
        Ok(Self(entries))
    }

    /// The routes: each path goes to its service, by its client.
    fn routes(
        &self,
        clients: &BTreeMap<Source, ServiceClient>,
        usual: Allowance,
    ) -> Result<Router, Failure> {
        let mut router = Router::new();
        for (path, Entry { service, allowance }) in &self.0 {
            let client = clients.get(service).ok_or("a service has no client")?;
            let Allowance { body_bytes, deadline } = match *allowance {
                Some(own) => Allowance { deadline: own.deadline + LATER, ..own },
                None => usual,
            };
            let ours = Allowance { body_bytes, deadline: deadline + LONGEST_WAIT + LATER };
            let asked = ServiceBuilder::new()
                .layer(allow(ours))
                .map_request(move |mut request: Request| {
                    request.extensions_mut().insert(Deadline(deadline));
                    request
                })
                .service(client.clone());
            router = router.route_service(&format!("{PREFIX}{path}"), asked);
        }
        Ok(router)
    }
}

/// All that a gateway's public listener answers. What runs in this process is asked here, the rest
/// where the configuration says it is.
///
/// # Errors
/// When the configuration does not say where a service is.
pub async fn site(
    shop: &Shop,
    context: Arc<HttpContext>,
    stopping: &CancellationToken,
) -> Result<Router, Failure> {
    // Nothing of it runs; it only describes itself.
    let described = Shop::in_memory().await?;
    let services = described.routes_by_service();
    let table =
        Table::of(services.iter().map(|(service, routes)| (*service, routes.get_openapi())))?;
    let (_, api) = site::describe(described.routes());
    described.close();
    let limits = shop.config.gateway.as_ref().map(|told| told.limits.clone()).unwrap_or_default();
    let clients = clients(shop, &limits, stopping)?;
    let body_bytes = shop.config.http.limits.body_bytes;
    let routes = table.routes(&clients, Allowance { body_bytes, deadline: limits.deadline() })?;
    site::with_pages(routes, &api, context, &shop.config)
}

fn clients(
    shop: &Shop,
    limits: &ClientLimits,
    stopping: &CancellationToken,
) -> Result<BTreeMap<Source, ServiceClient>, Failure> {
    let mut clients = BTreeMap::new();
    for service in Source::ALL {
        let client = if let Some(routes) = shop.routes_by_service().get(&service) {
            let (router, _) = routes.clone().split_for_parts();
            ServiceClient::local(Router::new().nest(PREFIX, router), limits)
        } else {
            let told = shop.config.gateway.as_ref().and_then(|told| told.services.get(&service));
            let addresses = told.ok_or_else(|| format!("gateway.services.{service} is not set"))?;
            let ids = shop.ids.clone();
            ServiceClient::remote(service.name(), addresses, limits, ids, stopping.clone())
        };
        clients.insert(service, client);
    }
    Ok(clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn described() -> BTreeMap<Source, OpenApi> {
        let shop = Shop::in_memory().await.unwrap();
        let routes = shop.routes_by_service().iter();
        routes.map(|(service, routes)| (*service, routes.get_openapi().clone())).collect()
    }

    #[tokio::test]
    async fn every_path_belongs_to_exactly_one_service() {
        let services = described().await;
        let table = Table::of(services.iter().map(|(service, api)| (*service, api))).unwrap();
        let shop = Shop::in_memory().await.unwrap();
        let (_, whole) = site::describe(shop.routes());
        let described: Vec<String> = whole.paths.paths.keys().cloned().collect();
        let routed: Vec<String> = table.0.keys().map(|path| format!("{PREFIX}{path}")).collect();
        assert_eq!(described, routed);
        for service in Source::ALL {
            assert!(
                table.0.values().any(|entry| entry.service == service),
                "{service} has no path"
            );
        }
    }

    /// Whoever came second under a name would be described by the first's.
    #[tokio::test]
    async fn two_services_call_two_things_by_two_names() {
        let services = described().await;
        let mut known = BTreeMap::new();
        for (service, api) in &services {
            for (name, schema) in &api.components.as_ref().unwrap().schemas {
                let (first, as_described) = known.entry(name).or_insert((service, schema));
                assert!(*as_described == schema, "{name} of {first} is not {name} of {service}");
            }
        }
    }

    #[tokio::test]
    async fn a_path_of_two_services_is_refused() {
        let services = described().await;
        let orders = &services[&Source::Order];
        let refused = Table::of([(Source::Order, orders), (Source::Payment, orders)]).unwrap_err();
        assert_eq!(refused.services, (Source::Order, Source::Payment));
        assert!(refused.to_string().ends_with("belongs to order and to payment"), "{refused}");
    }

    #[tokio::test]
    async fn a_large_import_is_let_through_as_the_catalogue_lets_it() {
        let services = described().await;
        let table = Table::of(services.iter().map(|(service, api)| (*service, api))).unwrap();
        let import = table.0["/products/import"].allowance.unwrap();
        assert_eq!(import.body_bytes, 64 << 20);
        assert_eq!(import.deadline, Duration::from_secs(300));
        assert!(table.0["/carts"].allowance.is_none());
    }
}
