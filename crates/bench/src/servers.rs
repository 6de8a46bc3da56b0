//! The servers that the services stand on: PostgreSQL, NATS and Redis, our own, thrown away afterwards.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use contracts::Source;
use platform::clock::Clock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use crate::client::Failure;
use crate::ports::free_address;
use crate::process::{Process, Signal, Spec};

/// So long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server with a database for each service, and fsync on.
#[derive(Debug)]
pub struct Postgres {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// The folder of its programs.
    pub programs: PathBuf,
    /// The password of its user `kontor`, who may do everything.
    pub password: String,
}

impl Postgres {
    /// Makes one in `folder`, which its user has to come through, and starts it.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub async fn open(folder: &Path, logs: &Path, password: String) -> Result<Self, Failure> {
        let programs = postgres_programs()?;
        let open: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder, open)?;
        let home = folder.join("postgres");
        std::fs::create_dir(&home)?;
        // PostgreSQL refuses to run as root.
        let user = (std::fs::metadata("/proc/self")?.uid() == 0).then_some("postgres");
        std::fs::write(home.join("password"), &password)?;
        let mut made = Command::new("setpriv");
        if let Some(user) = user {
            made.args(["--reuid", user, "--regid", user, "--init-groups"]);
            own(&home, user)?;
        } else {
            made.arg("--pdeathsig=clear");
        }
        let data = home.join("data");
        made.arg(programs.join("initdb")).arg("--pgdata").arg(&data).arg("--pwfile");
        made.arg(home.join("password")).current_dir(&home);
        made.args(["--username=kontor", "--auth=scram-sha-256", "--encoding=UTF8"]);
        let made = made.args(["--locale=C.UTF-8", "--no-sync"]).output()?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let address = free_address();
        let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
        arguments.extend(["-p".to_owned(), address.port().to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=128MB",
            "timezone=UTC",
        ] {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let spec = Spec {
            name: "postgres".to_owned(),
            program: programs.join("postgres"),
            arguments,
            variables: Vec::new(),
            user,
        };
        let mut process = Process::new(spec, logs);
        process.start()?;
        let postgres = Self { process, address, programs, password };
        let server = postgres.until_answers().await?;
        for service in Source::ALL {
            server.batch_execute(&format!("CREATE DATABASE kontor_{service}")).await?;
        }
        Ok(postgres)
    }

    /// The address of the services' databases as a service is told it, by this way.
    pub fn url(&self, by: SocketAddr) -> String {
        format!("postgres://kontor:{}@{by}/kontor_{{service}}", self.password)
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn until_answers(&self) -> Result<tokio_postgres::Client, Failure> {
        self.until_opens("postgres").await
    }

    /// Waits until it opens this database.
    ///
    /// # Errors
    /// When it does not.
    pub async fn until_opens(&self, database: &str) -> Result<tokio_postgres::Client, Failure> {
        let clock = Clock::system();
        let end = clock.now().plus(PATIENCE);
        let address = self.url(self.address).replace("kontor_{service}", database);
        loop {
            match tokio_postgres::connect(&address, NoTls).await {
                Ok((client, connection)) => {
                    platform::tasks::spawn("server", async move { drop(connection.await) });
                    return Ok(client);
                }
                Err(error) if clock.now() > end => return Err(error.into()),
                Err(_) => clock.sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Stops it as `pg_ctl stop` does, with `-m fast` or `-m immediate`.
    pub async fn stop(&mut self, mode: Signal) {
        self.process.stop(mode, PATIENCE).await;
    }
}

fn own(folder: &Path, user: &str) -> Result<(), Failure> {
    let owned = Command::new("chown").args(["-R", user]).arg(folder).status()?;
    if owned.success() { Ok(()) } else { Err(format!("there is no user {user}").into()) }
}

fn postgres_programs() -> Result<PathBuf, Failure> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    found.sort();
    found.pop().ok_or_else(|| "PostgreSQL is not installed: make install-tools".into())
}

/// A NATS server, alone or of a cluster.
#[derive(Debug)]
pub struct Nats {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    store: PathBuf,
}

impl Nats {
    /// Starts so many, which know each other.
    ///
    /// # Errors
    /// When they cannot be started.
    pub async fn open(count: usize, folder: &Path, logs: &Path) -> Result<Vec<Self>, Failure> {
        let routes: Vec<SocketAddr> = (0..count).map(|_| free_address()).collect();
        let mut servers = Vec::new();
        for (number, route) in routes.iter().enumerate() {
            let name = format!("nats-{}", number + 1);
            let store = folder.join(&name);
            let address = free_address();
            let others: Vec<String> =
                routes.iter().map(|route| format!("nats://{route}")).collect();
            let cluster = format!(
                "cluster {{ name: kontor, listen: \"{route}\", no_advertise: true, routes: {others:?} }}\n"
            );
            let config = format!(
                "server_name: {name}\njetstream {{ store_dir: {store:?}, max_file_store: 8G, \
                 max_memory_store: 256M }}\n{}",
                if count > 1 { cluster.as_str() } else { "" }
            );
            let file = folder.join(format!("{name}.conf"));
            std::fs::write(&file, config)?;
            let arguments =
                ["--config", &file.display().to_string(), "--addr", "127.0.0.1", "--port"];
            let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
            arguments.push(address.port().to_string());
            let spec = Spec {
                name,
                program: "nats-server".into(),
                arguments,
                variables: Vec::new(),
                user: None,
            };
            let mut process = Process::new(spec, logs);
            process.start()?;
            servers.push(Self { process, address, store });
        }
        for server in &servers {
            server.until_answers().await?;
        }
        Ok(servers)
    }

    async fn until_answers(&self) -> Result<(), Failure> {
        let clock = Clock::system();
        let end = clock.now().plus(PATIENCE);
        while clock.now() < end {
            if let Ok(stream) = TcpStream::connect(self.address).await {
                // NATS speaks first.
                let mut line = String::new();
                let read = BufReader::new(stream.take(8192)).read_line(&mut line).await;
                if read.is_ok() && line.starts_with("INFO") && line.contains("\"jetstream\":true") {
                    return Ok(());
                }
            }
            clock.sleep(Duration::from_millis(20)).await;
        }
        Err("NATS does not start".into())
    }

    /// Throws away what it has on disk. It must not run.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn lose_store(&self) -> Result<(), Failure> {
        Ok(std::fs::remove_dir_all(&self.store)?)
    }
}

/// A Redis server with nothing on disk.
#[derive(Debug)]
pub struct Redis {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Redis {
    /// Starts one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn open(folder: &Path, logs: &Path) -> Result<Self, Failure> {
        let address = free_address();
        let (port, folder) = (address.port().to_string(), folder.display().to_string());
        let arguments = ["--bind", "127.0.0.1", "--port", &port, "--dir", &folder, "--save", ""];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.extend(["--maxmemory".to_owned(), "64mb".to_owned()]);
        arguments.extend(["--maxmemory-policy".to_owned(), "allkeys-lru".to_owned()]);
        let spec = Spec {
            name: "redis".to_owned(),
            program: "redis-server".into(),
            arguments,
            variables: Vec::new(),
            user: None,
        };
        let mut process = Process::new(spec, logs);
        process.start()?;
        let redis = Self { process, address };
        let clock = Clock::system();
        let end = clock.now().plus(PATIENCE);
        while redis.says("PING").await.is_err() {
            if clock.now() > end {
                return Err("Redis does not start".into());
            }
            clock.sleep(Duration::from_millis(20)).await;
        }
        Ok(redis)
    }

    /// Its answer to a command without arguments.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn says(&self, command: &str) -> Result<String, Failure> {
        use tokio::io::AsyncWriteExt;
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        Ok(line)
    }
}
