//! What the configuration of a shop under test says, whoever tests it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use platform::http::TokenHash;

use crate::apart::Layout;

/// The token of the only member of staff, who may do everything.
pub const STAFF: &str = "kst_the_only_clerk_of_a_shop_under_test";
/// What the shop shows the payment provider.
pub const PROVIDER_KEY: &str = "the shop's key at the provider";
/// What the provider signs with.
pub const WEBHOOK_SECRET: &str = "7a1f0c5d9be24386a7b5c4d3e2f10987";

/// The tables about the clerk and the payment provider at `provider`, as TOML.
pub fn outside(provider: SocketAddr) -> String {
    format!(
        r#"
[payment.test_provider]
url = "http://{provider}"
api_key = "{PROVIDER_KEY}"
webhook_secret = "{WEBHOOK_SECRET}"
[[staff]]
name = "clerk"
role = "admin"
token_sha256 = "{}"
"#,
        TokenHash::of(STAFF)
    )
}

/// The table about limits of HTTP, as TOML: all clients have one address, which is not held against
/// them. `more` goes on in it.
pub fn limits(more: &str) -> String {
    format!("[http.limits]\nwrites_per_minute = 0\n{more}")
}

/// What services that run apart stand on.
#[derive(Debug)]
pub struct Stands<'a> {
    /// Where they may keep files.
    pub data: &'a Path,
    /// The address of their databases; `{service}` stands for the service's name.
    pub postgres: String,
    /// How many connections to one each instance opens at most.
    pub connections: usize,
    /// Where the NATS servers are.
    pub nats: Vec<SocketAddr>,
    /// Where Redis is, if there is one.
    pub redis: Option<SocketAddr>,
}

impl Stands<'_> {
    /// The tables about servers, and about who is found where, as TOML.
    pub fn tables(&self, layout: &Layout) -> String {
        let nats: Vec<String> = self.nats.iter().map(|at| format!("nats://{at}")).collect();
        let mut text = format!(
            r#"
[data]
folder = "{data}"
[data.postgres]
url = "{postgres}"
connections = {connections}
[nats]
servers = {nats:?}
replicas = {replicas}
[http]
public_url = "http://{public}"
cursor_key = "d41d8cd98f00b204e9800998ecf8427e"
[gateway.services]
"#,
            data = self.data.display(),
            postgres = self.postgres,
            connections = self.connections,
            replicas = if nats.len() >= 3 { 3 } else { 1 },
            public = layout.public(),
        );
        for (service, listen) in &layout.services {
            let urls: Vec<String> = listen.iter().map(|at| format!("http://{at}")).collect();
            // A string takes whatever it is given.
            let _ = writeln!(text, "{service} = {urls:?}");
        }
        if let Some(redis) = self.redis {
            let _ = writeln!(text, "[redis]\nurl = \"redis://{redis}/0\"");
        }
        text
    }
}
