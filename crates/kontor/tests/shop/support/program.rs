//! The real program: started, asked over sockets, told to stop, and killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use axum::body::Bytes;
use bench::ports::free_address;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use platform::clock::Clock;
use platform::http::TokenHash;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::ask::Answer;
use super::provider::WEBHOOK_SECRET;
use super::world::{PATIENCE, databases};

/// What can go wrong on the way.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A connection to a server, kept open.
pub struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        platform::tasks::spawn("test client", async move { drop(connection.await) });
        Ok(Self { address, sender })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Failure> {
        if self.sender.ready().await.is_err() {
            *self = Self::connect(self.address).await?;
        }
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::from(body.to_owned()))?;
        let asked = async {
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<(StatusCode, HeaderMap, Bytes), Failure>((head.status, head.headers, body))
        };
        let (status, headers, body) = tokio::time::timeout(PATIENCE, asked).await??;
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status, headers, text })
    }
}

/// The token of the only member of staff of a [`Place`]: an admin.
pub const STAFF: &str = "kst_the_admin_of_the_tests";

/// Where a program keeps its data and listens.
pub struct Place {
    pub folder: TempDir,
    pub listen: SocketAddr,
    pub internal: SocketAddr,
    pub provider: SocketAddr,
}

impl Place {
    /// A new, empty one, configured.
    pub async fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            listen: free_address(),
            internal: free_address(),
            provider: free_address(),
        };
        std::fs::write(place.config(), place.toml()).unwrap();
        place
    }

    /// A new, empty one for a demo, which makes its own arrangements with the payment provider.
    pub async fn for_a_demo() -> Self {
        let place = Self::new().await;
        let toml = place.toml();
        let (before, provider) = toml.split_once("[payment.test_provider]").unwrap();
        let (_, staff) = provider.split_once("[[staff]]").unwrap();
        let provider = format!("[test_provider]\nlisten = \"{}\"\n", place.provider);
        std::fs::write(place.config(), format!("{before}{provider}[[staff]]{staff}")).unwrap();
        place
    }

    /// The same, its data in new databases on the server; answers their address.
    pub async fn on_servers(&self) -> String {
        let postgres = databases("_{service}").await;
        let url = postgres.url.reveal().to_owned();
        let servers = format!("[data.postgres]\nurl = \"{url}\"\nconnections = 6\n");
        std::fs::write(self.config(), format!("{}{servers}", self.toml())).unwrap();
        url
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("kontor.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn toml(&self) -> String {
        let (data, hash) = (self.data(), TokenHash::of(STAFF));
        let Self { listen, internal, provider, .. } = self;
        format!(
            r#"
[data]
folder = "{}"
[http]
listen = "{listen}"
internal = "{internal}"
public_url = "http://{listen}"
[http.limits]
writes_per_minute = 0
[log]
filter = "error"
[payment.test_provider]
url = "http://{provider}"
api_key = "the shop's key at the provider"
webhook_secret = "{WEBHOOK_SECRET}"
timeout_ms = 2000
[[staff]]
name = "clerk"
role = "admin"
token_sha256 = "{hash}"
"#,
            data.display()
        )
    }

    /// The program with these arguments, in this place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.arg("--config").arg(self.config()).current_dir(self.folder.path());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    /// Starts the shop and waits until it is ready; answers how long that took.
    pub async fn start(&self) -> (Running, Duration) {
        let real = Clock::system();
        let begun = real.now();
        let running = self.begin(&["run", "--no-demo"]);
        let path = "/api/v1/products?limit=1";
        let ready = running.until_ready(self.listen, path);
        tokio::time::timeout(PATIENCE, ready).await.expect("it is not ready");
        (running, real.now().since(begun))
    }

    /// Starts the shop and does not wait for anything.
    pub fn launch(&self) -> Running {
        self.begin(&["run", "--no-demo"])
    }

    /// Starts the demo shop and waits until it is filled and open.
    pub async fn start_demo(&self) -> Running {
        let running = self.begin(&["run", "--demo"]);
        let ready = running.until_ready(self.listen, "/api/v1/products?limit=1");
        // Nearly nineteen thousand products, by a program that was not built for speed.
        tokio::time::timeout(6 * PATIENCE, ready).await.expect("it is not ready");
        running
    }

    fn begin(&self, arguments: &[&str]) -> Running {
        Running::begin(self.command(arguments), &self.folder.path().join("program.log"))
    }

    /// What the started programs have complained about.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("program.log")).unwrap_or_default()
    }
}

/// A started program. It does not outlive the test.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it; what it complains about goes to `log`.
    pub fn begin(mut command: Command, log: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: command.spawn().unwrap() }
    }

    async fn until_ready(&self, address: SocketAddr, path: &str) {
        self.until(address, path, |_| true).await;
    }

    /// Waits until its answer is what is wanted.
    pub async fn until(&self, address: SocketAddr, path: &str, done: impl Fn(&Answer) -> bool) {
        loop {
            if let Ok(mut client) = Client::connect(address).await
                && let Ok(answer) = client.send(Method::GET, path, &[], "").await
                && done(&answer)
            {
                return;
            }
            Clock::system().sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                Clock::system().sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("it does not stop")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program said until its end.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Said { code, out: text(output.stdout), err: text(output.stderr) }
}

/// The program with these arguments, as it comes: nothing of the environment configures it.
pub fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kontor"));
    for (name, _) in std::env::vars() {
        if name.starts_with("KONTOR") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}
