//! A daemon of the built binary with a data directory of its own, and the CLI that speaks to it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Shared test machines are slow; a condition that takes longer than this will never hold.
pub const PATIENCE: Duration = Duration::from_mins(2);

pub struct Daemon {
    data: PathBuf,
    process: Option<Child>,
    args: Vec<String>,
    listen: String,
    env: Vec<(String, String)>,
    namespace: Option<String>,
    /// Becomes the server, in place of this user's own program.
    program: Option<Command>,
    /// Removed with the daemon.
    dir: Option<TempDir>,
}

impl Daemon {
    /// A started daemon on a fresh data directory.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut daemon = Self::stopped(&dir.path().join("data"), &[]);
        daemon.dir = Some(dir);
        daemon.up();
        daemon
    }

    /// A daemon that has yet to be started, with more arguments for `server`.
    pub fn stopped(data: &Path, args: &[&str]) -> Self {
        let args = args.iter().map(ToString::to_string).collect();
        let (listen, env) = ("127.0.0.1:0".to_owned(), Vec::new());
        let data = data.to_path_buf();
        Self { data, process: None, args, listen, env, namespace: None, program: None, dir: None }
    }

    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// For the daemon alone, not for the CLI.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In a network namespace, which has a name.
    pub fn inside(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// By this command, of another user perhaps; it can be started once.
    pub fn by(mut self, program: Command) -> Self {
        self.program = Some(program);
        self
    }

    /// Starts the daemon and waits until it answers.
    pub fn up(&mut self) {
        self.spawn();
        self.ready();
    }

    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "the daemon runs already");
        std::fs::create_dir_all(&self.data).unwrap();
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let program = self.program.take();
        let process = program
            .unwrap_or_else(|| server(self.namespace.as_deref()))
            .arg("server")
            .arg("--data-dir")
            .arg(&self.data)
            .args(["--listen", &self.listen])
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    pub fn ready(&mut self) {
        let mut exited = None;
        let deadline = Instant::now() + PATIENCE;
        while !self.cli(&["project", "list"]).status.success() {
            exited = exited.or(self.process.as_mut().and_then(|it| it.try_wait().unwrap()));
            assert!(exited.is_none() && Instant::now() < deadline, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        signal(process.id(), rustix::process::Signal::TERM);
        assert!(process.wait().unwrap().success(), "{}", self.log());
    }

    /// Waits until the daemon ends by itself, without success or with; returns what it has logged.
    pub fn ended(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        let process = self.process.as_mut().unwrap();
        while process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = None;
        self.log()
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Takes note that the daemon was killed by the test.
    pub fn reap(&mut self) {
        self.process.take().unwrap().wait().unwrap();
    }

    /// The address that the daemon has logged.
    pub fn base_url(&self) -> String {
        let log = self.log();
        let from = log.find("http://127.0.0.1:").unwrap_or_else(|| panic!("no address in {log}"));
        log[from..]
            .split(|c: char| c.is_whitespace() || c == '"' || c == ',')
            .next()
            .unwrap()
            .to_owned()
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    fn log_path(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    /// What the daemon has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// A CLI command that is yet to run.
    pub fn command(&self) -> Command {
        let mut command = novacron();
        command.arg("--data-dir").arg(&self.data).env("HOME", &self.data);
        command
    }

    pub fn cli(&self, args: &[&str]) -> Output {
        self.command().args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs the CLI, which must succeed; returns what it printed.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "novacron {args:?}: {}\n{}{}\n--- daemon\n{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr),
            self.log()
        );
        text(&output.stdout)
    }

    /// Runs the CLI, which must fail with this exit code; returns what it said.
    pub fn refused(&self, code: i32, args: &[&str]) -> String {
        let output = self.cli(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "novacron {args:?}: {said}");
        said
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let text = self.run(&[&["-o", "json"], args].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    pub fn vm(&self, name: &str) -> Value {
        self.json(&["vm", "show", name])
    }

    /// Waits until the VM satisfies the condition.
    pub fn vm_until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until(&["vm", "show", name], what, holds)
    }

    /// Waits until the object or list that a command shows satisfies the condition.
    pub fn until(&self, args: &[&str], what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.json(args);
            if holds(&shown) {
                return shown;
            }
            assert!(Instant::now() < deadline, "never {what}: {shown:#}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the command succeeds.
    pub fn succeeds(&self, patience: Duration, args: &[&str]) -> String {
        let deadline = Instant::now() + patience;
        loop {
            let output = self.cli(args);
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).into_owned();
            }
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "{args:?} never succeeded: {said}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Runs a line of shell in the guest once its agent answers; returns what it printed.
    pub fn sh(&self, vm: &str, line: &str) -> String {
        self.succeeds(PATIENCE, &["exec", vm, "--", "true"]);
        self.run(&["exec", vm, "--", "sh", "-c", line])
    }

    pub fn import_micro(&self) {
        self.run(&["image", "import", guest("micro").to_str().unwrap(), "--name", "micro"]);
    }

    /// Waits until the serial log contains the text `times` times.
    pub fn serial_says(&self, vm: &str, text: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.run(&["logs", vm]);
            if log.matches(text).count() >= times {
                return;
            }
            assert!(Instant::now() < deadline, "{vm} never said {text:?}:\n{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _status = process.wait();
        }
        end_guests(&self.data);
    }
}

/// Ends the QEMU processes whose command line names the data directory.
fn end_guests(data: &Path) {
    let data = data.to_string_lossy();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let cmdline = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let cmdline = String::from_utf8_lossy(&cmdline);
        if cmdline.starts_with("qemu-system") && cmdline.contains(&*data) {
            signal(pid, rustix::process::Signal::KILL);
        }
    }
}

pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _gone_already = rustix::process::kill_process(pid, signal);
}

pub fn novacron() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_novacron"));
    command.env_remove("NOVACRON_DATA_DIR").env_remove("NOVACRON_SOCKET");
    command
}

/// Becomes the server, in a network namespace if there is one.
fn server(namespace: Option<&str>) -> Command {
    let Some(namespace) = namespace else { return novacron() };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(novacron().get_program());
    command.env_remove("NOVACRON_DATA_DIR").env_remove("NOVACRON_SOCKET");
    command
}

/// Path of a guest built by `cargo xtask guest`; the test runner names it, else it is built now.
pub fn guest(name: &str) -> PathBuf {
    let variable = format!("NOVACRON_GUEST_{}", name.to_uppercase());
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let cargo = Command::new(env!("CARGO")).args(["xtask", "guest", name]).output().unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    String::from_utf8(cargo.stdout).unwrap().lines().last().unwrap().into()
}

/// Waits until the condition holds.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Names of what lies in a directory; of nothing when there is none.
pub fn listed(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A program of the host, which must succeed; returns what it printed.
pub fn host(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn pid_of(vm: &Value) -> u32 {
    u32::try_from(vm["status"]["runtime"]["pid"].as_u64().unwrap()).unwrap()
}

pub fn state_of(vm: &Value) -> &str {
    vm["status"]["state"].as_str().unwrap()
}

pub fn alive(pid: u32) -> bool {
    let mut stat = String::new();
    let read =
        File::open(format!("/proc/{pid}/stat")).and_then(|mut it| it.read_to_string(&mut stat));
    read.is_ok() && !stat.contains(") Z ")
}
