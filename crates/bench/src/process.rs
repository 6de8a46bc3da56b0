//! A process of ours: started, signalled, ended, and never left behind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use platform::clock::Clock;

use crate::client::Failure;

/// How a process is started.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What the report and its log call it.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What its environment has besides ours.
    pub variables: Vec<(String, String)>,
    /// The user it runs as, where that must be another than ours.
    pub user: Option<&'static str>,
}

/// A process that may or may not be running.
#[derive(Debug)]
pub struct Process {
    /// How it is started.
    pub spec: Spec,
    child: Option<Child>,
    log: PathBuf,
}

/// A signal that does not always end a process.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    /// Asks it to stop.
    Terminate,
    /// PostgreSQL: stop and let nobody finish.
    Interrupt,
    /// PostgreSQL: stop as a crash would.
    Quit,
    /// Stands still until [`Signal::Continue`].
    Stop,
    /// Goes on.
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

impl Process {
    /// One that is not started yet; what it says goes to a file in `logs`.
    pub fn new(spec: Spec, logs: &Path) -> Self {
        let log = logs.join(format!("{}.log", spec.name));
        Self { spec, child: None, log }
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(&mut self) -> Result<(), Failure> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        // The kernel ends it if we die, whatever we die of.
        let mut command = Command::new("setpriv");
        if let Some(user) = self.spec.user {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        let last = if self.spec.user.is_some() { "QUIT" } else { "KILL" };
        command.args(["--pdeathsig", last]).arg(&self.spec.program).args(&self.spec.arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KONTOR_")) {
            command.env_remove(name);
        }
        command.envs(self.spec.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Whether it runs, or stands still.
    pub fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its id in the system, if it was started.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&said[said.len().saturating_sub(2_000)..]).into_owned()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(id) = self.id() {
            // What is gone cannot be told anything, and need not be.
            let _ = Command::new("kill").args(["-s", signal.name(), &id.to_string()]).status();
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop by `signal`; kills it if it has not within `limit`. Says whether it stopped.
    pub async fn stop(&mut self, signal: Signal, limit: Duration) -> bool {
        self.signal(signal);
        let clock = Clock::system();
        let end = clock.now().plus(limit);
        while self.is_alive() && clock.now() < end {
            clock.sleep(Duration::from_millis(10)).await;
        }
        let stopped = !self.is_alive();
        self.kill();
        stopped
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.spec.user.is_some() && self.is_alive() {
            // Its children end with it, which they would not by KILL.
            self.signal(Signal::Quit);
            if let Some(child) = &mut self.child {
                let _ = child.wait();
            }
        }
        self.kill();
    }
}
