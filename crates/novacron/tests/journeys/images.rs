//! Images: from URLs and files, from friends and foes, cut short and begun again.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::daemon::{Daemon, eventually, free_port, guest, host, listed, novacron};

#[test]
fn an_image_comes_from_a_url_with_its_checksum() {
    let daemon = Daemon::start();
    let server = Server::of(std::fs::read(guest("micro")).unwrap());
    let sum = host("sha256sum", &[guest("micro").to_str().unwrap()]);
    let sum = sum.split_whitespace().next().unwrap();
    daemon.run(&["image", "import", &server.url, "--name", "micro", "--sha256", sum]);
    let image = daemon.json(&["image", "show", "micro"]);
    assert_eq!(image["status"]["content"]["sha256"], sum);
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB"]);

    let said = daemon.refused(4, &["image", "delete", "micro", "--yes"]);
    assert!(said.contains("VM \"web\""), "{said}");
    daemon.run(&["delete", "web", "--yes", "--force"]);
    daemon.run(&["image", "delete", "micro", "--yes"]);
    nothing_is_left(&daemon);
}

#[test]
fn a_wrong_checksum_and_a_server_that_vanishes_leave_nothing() {
    let daemon = Daemon::start();
    let server = Server::of(vec![7; 3 << 20]);
    let wrong = "0".repeat(64);
    let import = ["image", "import", &server.url, "--name", "wrong", "--sha256", &wrong];
    let said = daemon.refused(2, &import);
    assert!(said.contains("SHA-256") && said.contains(&wrong), "{said}");

    // Whoever asks again gets nothing more: the import ends, it does not hang.
    server.cut_after.store(1 << 20, Ordering::Relaxed);
    let said = daemon.refused(1, &["image", "import", &server.url, "--name", "cut"]);
    assert!(said.contains("127.0.0.1"), "{said}");
    no_image_is_left(&daemon);
    nothing_is_left(&daemon);
    // But for the tasks, which tell why.
    let tasks = daemon.json(&["task", "list"]);
    let why = |name: &str| {
        let about = |task: &&Value| task["spec"]["target"]["name"] == name;
        let task = tasks.as_array().unwrap().iter().find(about).unwrap();
        task["status"]["outcome"]["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(why("wrong").contains("SHA-256") && why("cut").contains("127.0.0.1"), "{tasks:#}");

    server.cut_after.store(usize::MAX, Ordering::Relaxed);
    daemon.run(&["image", "import", &server.url, "--name", "cut"]);
}

#[test]
fn an_image_that_reaches_for_other_files_is_refused() {
    let daemon = Daemon::start();
    let evil = |name: &str| daemon.data().join(name).to_str().unwrap().to_owned();
    let (backing, outside) = (evil("backing.qcow2"), evil("outside.qcow2"));
    let create = ["create", "-q", "-f", "qcow2"];
    let over = ["-b", "/etc/passwd", "-F", "raw", &backing, "1M"];
    host("qemu-img", &[&create[..], &over].concat());
    let option = format!("data_file={},data_file_raw=on", evil("elsewhere"));
    host("qemu-img", &[&create[..], &["-o", &option, &outside, "1M"]].concat());
    for (path, name, why) in [
        (&backing, "backing", "names a backing file"),
        (&outside, "outside", "names an external data file"),
    ] {
        let said = daemon.refused(2, &["image", "import", path, "--name", name]);
        assert!(said.contains(why) && said.contains("qemu-img convert"), "{said}");
        assert!(!daemon.cli(&["vm", "create", "web", "--image", name]).status.success());
    }
    no_image_is_left(&daemon);
    nothing_is_left(&daemon);
}

#[test]
fn an_import_from_a_url_begins_again_when_the_daemon_was_killed() {
    let mut daemon = Daemon::start();
    let server = Server::of(std::fs::read(guest("micro")).unwrap());
    server.stall.store(true, Ordering::Relaxed);
    daemon.run(&["image", "import", &server.url, "--name", "micro", "--no-wait"]);
    eventually("asked", || server.asked.load(Ordering::Relaxed) > 0);
    let incoming = daemon.data().join("pools/default/incoming");
    eventually("a part arrived", || !listed(&incoming).is_empty());
    daemon.kill();
    server.stall.store(false, Ordering::Relaxed);
    daemon.up();
    daemon.until(&["image", "show", "micro"], "ready", |image| image["status"]["state"] == "ready");
    assert!(listed(&incoming).is_empty());
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB"]);
}

#[test]
fn an_upload_that_the_daemons_death_cut_short_can_be_sent_again() {
    let mut daemon = Daemon::start();
    let socket = daemon.data().join("api.sock");
    let images = "/v1/projects/default/images";
    let draft = r#"{"meta":{"name":"micro"},"spec":{"source":{"upload":{}}}}"#;
    let created = request(&socket, "POST", images, draft.as_bytes(), draft.len());
    assert!(created.contains(" 201 "), "{created}");
    let content = std::fs::read(guest("micro")).unwrap();
    let path = format!("{images}/micro/content");
    let mut half = begin(&socket, "PUT", &path, content.len());
    half.write_all(&content[..content.len() / 2]).unwrap();
    let incoming = daemon.data().join("pools/default/incoming");
    eventually("a part arrived", || !listed(&incoming).is_empty());
    daemon.kill();
    daemon.up();
    eventually("swept", || listed(&incoming).is_empty());
    let sent = request(&socket, "PUT", &path, &content, content.len());
    assert!(sent.contains(" 202 "), "{sent}");
    daemon.until(&["image", "show", "micro"], "ready", |image| image["status"]["state"] == "ready");
    daemon.run(&["image", "delete", "micro", "--yes"]);
    nothing_is_left(&daemon);
}

#[test]
fn an_import_of_a_file_outlives_the_daemons_deaths() {
    // Over TCP nothing is handed over: the bytes are sent.
    let dir = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]).listen(&address);
    daemon.up();
    let file = dir.path().join("big.raw");
    // Large enough to be cut several times on its way.
    let content: Vec<u8> = (0..96_u32 << 18).flat_map(|n| (n ^ 0x9e37).to_le_bytes()).collect();
    std::fs::write(&file, &content).unwrap();
    let sum = host("sha256sum", &[file.to_str().unwrap()]);
    let sum = sum.split_whitespace().next().unwrap().to_owned();
    let args = ["image", "import", file.to_str().unwrap(), "--name", "big", "--sha256", &sum];
    let token = daemon.json(&["token", "create", "laptop"])["secret"].as_str().unwrap().to_owned();
    let remote = || {
        let mut command = novacron();
        command.env("HOME", dir.path()).env_remove("XDG_CONFIG_HOME").env("NOVACRON_TOKEN", &token);
        command
    };
    let url = format!("http://{address}");
    assert!(remote().args(["context", "add", "here", &url]).status().unwrap().success());
    let mut import = remote();
    import.args(["--context", "here"]);
    let import = std::cell::RefCell::new(import.args(args).spawn().unwrap());
    let part = |daemon: &Daemon| {
        let incoming = daemon.data().join("pools/default/incoming");
        let folder = listed(&incoming).pop()?;
        std::fs::metadata(incoming.join(folder).join("source.part")).ok().map(|meta| meta.len())
    };
    let mut before = 0;
    for _ in 0..3 {
        eventually("more of it came, or all", || {
            part(&daemon).is_some_and(|length| length > before)
                || import.borrow_mut().try_wait().unwrap().is_some()
        });
        daemon.kill();
        before = part(&daemon).unwrap_or(0);
        daemon.up();
        assert!(part(&daemon).is_none_or(|length| length >= before), "what has come stays");
    }
    assert!(import.into_inner().wait().unwrap().success());
    let image = daemon.json(&["image", "show", "big"]);
    assert_eq!(image["status"]["content"]["sha256"], sum);
    assert!(listed(&daemon.data().join("pools/default/incoming")).is_empty());
    daemon.run(&["image", "delete", "big", "--yes"]);
    nothing_is_left(&daemon);
}

#[test]
fn an_image_of_the_catalogue_is_imported_at_its_first_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let micro = guest("micro").to_str().unwrap().to_owned();
    let server = Server::of(std::fs::read(&micro).unwrap());
    let sum = host("sha512sum", &[&micro]);
    *server.sums.lock().unwrap() = format!("{}  file.tar\n", &sum[..128]);
    let catalogue = |url: &str| {
        let sums = url.replace("file.tar", "SUMS");
        let entry =
            format!("name = \"tiny/1\"\nos = \"Tiny\"\nurl = \"{url}\"\nsums = \"{sums}\"\n");
        std::fs::write(path("catalogue.toml"), format!("format = 1\n[[image]]\n{entry}")).unwrap();
    };
    catalogue(&server.url);
    let settings = format!("[images]\ncatalogue = \"{}\"\n", path("catalogue.toml"));
    std::fs::write(path("novacron.toml"), settings).unwrap();
    let data = dir.path().join("data");
    let mut daemon = Daemon::stopped(&data, &["--config", &path("novacron.toml")]);
    daemon.up();

    assert!(daemon.run(&["image", "catalogue"]).contains("tiny/1"));
    daemon.run(&["launch", "tiny/1", "web", "--memory", "256MiB"]);
    let image = daemon.json(&["image", "show", "tiny-1"]);
    assert_eq!(image["spec"]["os"], "Tiny");
    assert_eq!(image["spec"]["source"]["catalogue"], "tiny/1");
    let asked = server.asked.load(Ordering::Relaxed);
    daemon.run(&["vm", "create", "other", "--image", "tiny/1"]);
    assert_eq!(server.asked.load(Ordering::Relaxed), asked, "it is there already");
    daemon.run(&["delete", "web", "other", "--yes", "--force"]);
    daemon.run(&["image", "delete", "tiny-1", "--yes"]);

    let said = daemon.refused(2, &["launch", "tiny/2", "web"]);
    assert!(said.contains("image catalogue"), "{said}");
    *server.sums.lock().unwrap() = format!("{}  file.tar\n", "0".repeat(64));
    let said = daemon.refused(2, &["image", "import", "tiny/1"]);
    assert!(said.contains("its publisher says"), "{said}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    catalogue(&format!("http://{nobody}/file.tar"));
    let wanted = "cannot reach the source of tiny/1; \
        import a file: novacron image import FILE --name tiny-1";
    for command in
        [&["launch", "tiny/1", "web", "--memory", "256MiB"][..], &["image", "import", "tiny/1"]]
    {
        let said = daemon.refused(1, command);
        assert!(said.contains(wanted), "{said}");
    }
    nothing_is_left(&daemon);
    let waits = daemon.json(&["info", "web"]);
    assert_eq!(waits["status"]["state"], "pending");
    assert_eq!(waits["status"]["reason"], wanted);
    // Over REST it is the same; the second of two at once finds the image of the first.
    let socket = data.join("api.sock");
    let posted = |name: &str| {
        let body = format!(
            r#"{{"meta":{{"name":"{name}"}},"spec":{{"image":"tiny/1","memory":268435456}}}}"#
        );
        request(&socket, "POST", "/v1/projects/default/vms", body.as_bytes(), body.len())
    };
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| posted("one"));
        let two = posted("two");
        (one.join().unwrap(), two)
    });
    assert!(one.contains(" 201 ") && two.contains(" 201 "), "{one}\n{two}");
    // Whoever waits goes on with the file, once the failed try has given way to it.
    daemon.until(&["image", "show", "tiny-1"], "failed", |image| {
        image["status"]["state"] == "failed"
    });
    daemon.run(&["image", "import", &micro, "--name", "tiny-1"]);
    daemon.until(&["info", "web"], "running", |vm| vm["status"]["state"] == "running");
    for vm in ["one", "two"] {
        daemon.until(&["info", vm], "stopped", |vm| vm["status"]["state"] == "stopped");
    }
    daemon.run(&["delete", "web", "one", "two", "--yes", "--force"]);
}

/// What failed goes by itself, a moment after its task has ended.
fn no_image_is_left(daemon: &Daemon) {
    daemon.until(&["image", "list"], "empty", |images| images == &json!([]));
}

pub fn nothing_is_left(daemon: &Daemon) {
    let pool = daemon.data().join("pools/default");
    for dir in ["images", "incoming", "volumes"] {
        let left = listed(&pool.join(dir));
        assert!(left.is_empty(), "{dir}: {left:?}");
    }
}

/// Sends the head of a request; the body is the caller's.
fn begin(socket: &Path, method: &str, path: &str, length: usize) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    let kind = if method == "PUT" { "octet-stream" } else { "json" };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/{kind}\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    stream
}

pub fn request(socket: &Path, method: &str, path: &str, body: &[u8], length: usize) -> String {
    let mut stream = begin(socket, method, path, length);
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A web server with one file, which can be made to misbehave.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    /// Bytes after which every answer breaks off.
    cut_after: Arc<AtomicUsize>,
    /// What lies at `/SUMS`.
    sums: Arc<Mutex<String>>,
    /// Half the file is sent; the rest when this is false again.
    stall: Arc<AtomicBool>,
}

impl Server {
    fn of(file: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}/file.tar", listener.local_addr().unwrap()),
            asked: Arc::default(),
            cut_after: Arc::new(AtomicUsize::new(usize::MAX)),
            stall: Arc::default(),
            sums: Arc::default(),
        };
        let (asked, cut_after) = (server.asked.clone(), server.cut_after.clone());
        let (stall, file, sums) = (server.stall.clone(), Arc::new(file), server.sums.clone());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                asked.fetch_add(1, Ordering::Relaxed);
                let (cut, stall, file) = (cut_after.clone(), stall.clone(), file.clone());
                let sums = sums.lock().unwrap().clone();
                std::thread::spawn(move || answer(stream, &file, &sums, &cut, &stall));
            }
        });
        server
    }
}

/// A client that hangs up is no trouble of ours.
fn answer(mut stream: TcpStream, file: &[u8], sums: &str, cut: &AtomicUsize, stall: &AtomicBool) {
    let mut head = [0; 4096];
    let _read = stream.read(&mut head);
    let file = if head.starts_with(b"GET /SUMS ") { sums.as_bytes() } else { file };
    let _sent = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
    let half = file.len() / 2;
    let end = file.len().min(cut.load(Ordering::Relaxed));
    let _sent = stream.write_all(&file[..half.min(end)]);
    while stall.load(Ordering::Relaxed) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    if end > half {
        let _sent = stream.write_all(&file[half..end]);
    }
}
