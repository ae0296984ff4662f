//! Guests on a bridge: in a network of the test's own, with a real DHCP server across the wire.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, PATIENCE, alive, eventually, host, pid_of, signal, state_of};

const MEMORY: [&str; 2] = ["--memory", "256MiB"];

/// Two network namespaces: `host`, where the daemon lives and has the bridge `br0`, and `far`, where
/// the DHCP server is. A cable leads from the bridge to the server.
pub struct Lan {
    host: String,
    far: String,
    dir: TempDir,
    server: Option<Child>,
}

impl Lan {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |part: &str| format!("novacron-{}-{number}-{part}", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        let mut lan = Self { host: name("host"), far: name("lan"), dir, server: None };
        for space in [&lan.host, &lan.far] {
            host("ip", &["netns", "add", space]);
            host("ip", &["-n", space, "link", "set", "lo", "up"]);
        }
        let cable = ["link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns"];
        lan.ip(&[&cable[..], &[&lan.far]].concat());
        lan.ip(&["link", "set", "up0", "up"]);
        lan.add_bridge();
        host("ip", &["-n", &lan.far, "link", "set", "eth0", "up"]);
        host("ip", &["-n", &lan.far, "address", "add", "10.77.0.1/24", "dev", "eth0"]);
        lan.serve();
        lan
    }

    /// Runs `ip` on the host's side.
    fn ip(&self, words: &[&str]) -> String {
        host("ip", &[&["-n", self.host.as_str()], words].concat())
    }

    fn add_bridge(&self) {
        self.ip(&["link", "add", "br0", "mtu", "1400", "type", "bridge"]);
        self.ip(&["link", "set", "up0", "mtu", "1400", "master", "br0"]);
        self.ip(&["link", "set", "br0", "up"]);
    }

    fn remove_bridge(&self) {
        self.ip(&["link", "delete", "br0"]);
    }

    fn leases(&self) -> PathBuf {
        self.dir.path().join("leases")
    }

    fn serve(&mut self) {
        let server = Command::new("ip")
            .args(["netns", "exec", &self.far, "dnsmasq", "--keep-in-foreground", "--user=root"])
            .args(["--conf-file=/dev/null", "--pid-file=", "--port=0", "--bind-interfaces"])
            .args(["--interface=eth0", "--dhcp-range=10.77.0.100,10.77.0.150,1h", "--no-ping"])
            .arg(format!("--dhcp-leasefile={}", self.leases().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.server = Some(server);
    }

    /// What the server has leased to this MAC.
    fn leased(&self, mac: &str) -> Option<String> {
        let leases = std::fs::read_to_string(self.leases()).unwrap_or_default();
        let words = leases.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mut ours = words.filter(|words| words.get(1) == Some(&mac));
        ours.next().map(|words| words[2].to_owned())
    }

    /// Whether the server reaches the address, across the cable and the bridge.
    pub fn reaches(&self, address: &str) -> bool {
        let ping = ["netns", "exec", &self.far, "busybox", "ping", "-c", "1", "-W", "2", address];
        Command::new("ip").args(ping).stdout(Stdio::null()).status().unwrap().success()
    }

    /// NovaCron's taps on the host, each with the bridge that it is in.
    pub fn taps(&self) -> Vec<(String, String)> {
        let links: Value = serde_json::from_str(&self.ip(&["-json", "link"])).unwrap();
        let links = links.as_array().unwrap().iter();
        let ours = links.filter(|link| {
            link["ifalias"].as_str().is_some_and(|alias| alias.starts_with("novacron:"))
        });
        let word = |link: &Value, field: &str| link[field].as_str().unwrap_or("").to_owned();
        ours.map(|link| (word(link, "ifname"), word(link, "master"))).collect()
    }

    /// A daemon on the host's side.
    pub fn daemon(&self) -> Daemon {
        let mut daemon =
            Daemon::stopped(&self.dir.path().join("data"), &["--name", "a"]).inside(&self.host);
        daemon.up();
        daemon
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _gone = server.kill();
            let _status = server.wait();
        }
        for space in [&self.host, &self.far] {
            let _gone = Command::new("ip").args(["netns", "delete", space]).status();
        }
    }
}

pub fn mac(vm: &Value) -> String {
    vm["status"]["runtime"]["nics"][0]["mac"].as_str().unwrap_or_default().to_owned()
}

/// The guest's address, once the server has leased one and the guest's agent tells the same.
pub fn address(lan: &Lan, daemon: &Daemon, name: &str) -> String {
    let vm = daemon.vm_until(name, "plugged in", |vm| !mac(vm).is_empty());
    eventually("a lease", || lan.leased(&mac(&vm)).is_some());
    let address = lan.leased(&mac(&vm)).unwrap();
    daemon.vm_until(name, "its address told", |vm| {
        let told = vm["status"]["runtime"]["agent"]["addresses"].as_array();
        told.is_some_and(|told| told.iter().any(|each| *each == *address))
    });
    address
}

fn launch(daemon: &Daemon, name: &str) {
    daemon.run(&[&["launch", "micro", name, "--network", "lan"], &MEMORY[..]].concat());
}

#[test]
fn guests_on_a_bridge_are_neighbours_with_addresses_of_the_lan() {
    let lan = Lan::new();
    let daemon = lan.daemon();
    daemon.import_micro();
    daemon.run(&["network", "create", "lan", "--bridge", "br0"]);
    let said =
        daemon.refused(2, &["launch", "micro", "web", "--network", "lan", "--port", "8080:80"]);
    assert!(said.contains("spec.nics[0].ports") || said.contains("forwards no ports"), "{said}");
    launch(&daemon, "web");
    launch(&daemon, "db");
    let (web, db) = (address(&lan, &daemon, "web"), address(&lan, &daemon, "db"));
    assert_ne!(web, db);
    assert!(daemon.run(&["list"]).contains(&web));
    assert!(lan.reaches(&web) && lan.reaches(&db), "both answer across the bridge");

    // What the guest itself says, on its serial line; the MTU is the bridge's.
    let said = typed(&daemon, "web", "ip address show eth0; echo end-of-$((40+2))", "end-of-42");
    assert!(said.contains(&format!("inet {web}/24")) && said.contains("mtu 1400"), "{said}");
    let ping =
        typed(&daemon, "web", &format!("ping -c 3 {db} && echo end-of-$((20+1))"), "end-of-21");
    assert!(ping.contains("3 packets received"), "{ping}");

    let taps = lan.taps();
    assert_eq!(taps.len(), 2);
    assert!(taps.iter().all(|(name, bridge)| name.len() == 15 && bridge == "br0"), "{taps:?}");
    let said = daemon.refused(4, &["network", "delete", "lan", "--yes"]);
    assert!(said.contains("is used by VM \"db\", VM \"web\""), "{said}");

    // A restart keeps MAC and lease; a stop takes the tap away.
    let before = mac(&daemon.vm("web"));
    daemon.run(&["restart", "web", "--force", "--timeout", "0s"]);
    assert_eq!(address(&lan, &daemon, "web"), web);
    assert_eq!(mac(&daemon.vm("web")), before);
    daemon.run(&["stop", "web", "--force", "--timeout", "0s"]);
    assert_eq!(lan.taps().len(), 1);
    daemon.run(&["delete", "web", "db", "--yes", "--force"]);
    assert_eq!(lan.taps(), []);
    daemon.run(&["network", "delete", "lan", "--yes"]);
}

#[test]
fn a_bridge_that_vanishes_under_a_guest_is_said_and_healed() {
    let lan = Lan::new();
    let daemon = lan.daemon();
    daemon.import_micro();
    daemon.run(&["network", "create", "lan", "--bridge", "br0"]);
    launch(&daemon, "web");
    let web = address(&lan, &daemon, "web");
    let pid = pid_of(&daemon.vm("web"));

    lan.remove_bridge();
    let gone = "bridge \"br0\" does not exist on node \"a\"";
    let vm = daemon
        .vm_until("web", "unplugged", |vm| vm["status"]["runtime"]["nics"][0]["unplugged"] == gone);
    assert_eq!(state_of(&vm), "running");
    assert_eq!(vm["status"]["reason"], format!("NIC 0 is unplugged: {gone}"));
    let network = daemon.until(&["network", "show", "lan"], "failed", |network| {
        network["status"]["state"] == "failed"
    });
    assert_eq!(network["status"]["nodes"][0]["reason"], gone);
    let said = daemon.refused(
        4,
        &[&["launch", "micro", "late", "--network", "lan", "--restart", "never"], &MEMORY[..]]
            .concat(),
    );
    assert!(said.contains(gone), "{said}");

    lan.add_bridge();
    let plugged = |vm: &Value| vm["status"]["runtime"]["nics"][0]["unplugged"].is_null();
    let vm = daemon.vm_until("web", "plugged in again", plugged);
    assert_eq!(pid_of(&vm), pid, "the same guest");
    eventually("the guest to answer again", || lan.reaches(&web));
    let events = daemon.json(&["events"]);
    let texts: Vec<&str> =
        events.as_array().unwrap().iter().filter_map(|event| event["text"].as_str()).collect();
    for text in [format!("NIC 0 is unplugged: {gone}"), "NIC 0 is in bridge \"br0\" again".into()] {
        assert!(texts.contains(&format!("VM \"web\": {text}").as_str()), "{texts:?}");
    }
    daemon.run(&["start", "late"]);
    address(&lan, &daemon, "late");
}

#[test]
fn taps_live_and_die_with_their_guests_whatever_the_daemon_does() {
    let lan = Lan::new();
    let mut daemon = lan.daemon();
    daemon.import_micro();
    daemon.run(&["network", "create", "lan", "--bridge", "br0"]);
    launch(&daemon, "web");
    let web = address(&lan, &daemon, "web");
    let taps = lan.taps();

    // The bridge is made anew while nobody watches.
    daemon.kill();
    assert!(lan.reaches(&web), "the guest is on the network without the daemon");
    lan.remove_bridge();
    lan.add_bridge();
    assert_ne!(lan.taps(), taps);
    daemon.up();
    eventually("the adopted guest's tap to be back in the bridge", || lan.taps() == taps);
    eventually("the guest to answer again", || lan.reaches(&web));

    // A guest that dies while the daemon is away leaves nothing.
    let pid = pid_of(&daemon.vm("web"));
    daemon.kill();
    signal(pid, rustix::process::Signal::KILL);
    eventually("the end of the guest", || !alive(pid));
    // The kernel takes them down after the process is gone.
    eventually("the end of its tap", || lan.taps().is_empty());
    daemon.up();
    daemon.vm_until("web", "started again", |vm| state_of(vm) == "running");
    assert_eq!(address(&lan, &daemon, "web"), web);
    assert_eq!(lan.taps(), taps);
}

#[test]
fn a_guest_without_an_agent_has_an_unknown_address() {
    let lan = Lan::new();
    let daemon = lan.daemon();
    daemon.run(&["network", "create", "lan", "--bridge", "br0"]);
    daemon.run(&["vm", "create", "bare", "--network", "lan", "--memory", "64MiB"]);
    daemon.run(&["start", "bare"]);
    daemon.vm_until("bare", "plugged in", |vm| !mac(vm).is_empty());
    assert!(daemon.run(&["info", "bare"]).contains("unknown (no guest agent)"));
    assert!(daemon.run(&["list"]).contains("unknown (no guest agent)"));
}

#[test]
fn a_link_that_is_no_bridge_is_refused() {
    let lan = Lan::new();
    let daemon = lan.daemon();
    daemon.run(&["network", "create", "wire", "--bridge", "up0"]);
    let network = daemon.until(&["network", "show", "wire"], "looked at", |network| {
        network["status"]["state"] == "failed"
    });
    assert_eq!(network["status"]["reason"], "\"up0\" is not a Linux bridge on node \"a\"");
    let said = daemon.refused(2, &["network", "create", "odd", "--bridge", "a/b"]);
    assert!(said.contains("spec.bridge"), "{said}");
}

/// Types a line into the serial console; what it shows until `end`.
fn typed(daemon: &Daemon, vm: &str, line: &str, end: &str) -> String {
    daemon.serial_says(vm, "guest is up", 1);
    let mut console = daemon
        .command()
        .args(["console", vm])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keys = console.stdin.take().unwrap();
    keys.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    let mut shown = console.stdout.take().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(end) {
        let n = shown.read(&mut buffer).unwrap();
        assert!(n > 0 && std::time::Instant::now() < deadline, "the console ended:\n{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    console.kill().unwrap();
    console.wait().unwrap();
    text
}
