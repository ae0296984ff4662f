//! The way into guests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt};
use novacron_model::Code;
use novacron_model::request::{ExecRequest, LogSource};
use novacron_model::vm::{RestartPolicy, VmState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::Stage;

async fn text(stream: novacron_agent::ByteStream) -> String {
    let chunks: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_serial_line_replays_and_goes_on() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let agent = stage.agent.as_ref().unwrap();
    let mut line = agent.serial(&stage.vm("web"), 65536).await.unwrap();
    line.write_all(b"echo typed here\r").await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("\ntyped here") {
        let mut buffer = [0; 1024];
        let read = line.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the line ended after {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..read]);
    }
    assert!(String::from_utf8_lossy(&seen).contains("guest is up: web"));
    let log = agent.log(&stage.vm("web"), LogSource::Serial, 1 << 20, false).await.unwrap();
    assert!(text(log).await.contains("typed here"));
}

#[tokio::test(start_paused = true)]
async fn commands_and_files_go_through_the_guest_agent() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let (agent, web) = (stage.agent.as_ref().unwrap(), stage.vm("web"));
    let argv = vec!["echo".to_owned(), "hello".to_owned()];
    let exec = ExecRequest { argv, env: Vec::new(), stdin: None, timeout: None };
    let result = agent.exec(&web, exec).await.unwrap();
    assert_eq!((result.exit_code, result.stdout), (0, STANDARD.encode("hello\n")));

    let content = futures::stream::iter(["one ", "two"].map(|s| Ok(bytes::Bytes::from(s)))).boxed();
    agent.push(&web, "/etc/motd", content).await.unwrap();
    assert_eq!(text(agent.pull(&web, "/etc/motd").await.unwrap()).await, "one two");
    let missing = agent.pull(&web, "/nowhere").await.err().unwrap();
    assert!(missing.message.contains("/nowhere"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn the_guest_agent_tells_who_is_inside() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let told = |stage: &Stage| stage.runtime("web").agent.map(|agent| agent.hostname);
    stage.wait_until("the guest agent", |stage| told(stage).is_some()).await;
    assert_eq!(told(&stage).as_deref(), Some("web"));
    stage.stop("web", 60, true).await;
    stage.wait_state("web", VmState::Stopped).await;
    assert_eq!(told(&stage), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_leads_into_a_vm_that_is_down() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    stage.stop("web", 60, true).await;
    stage.wait_state("web", VmState::Stopped).await;
    let (agent, web) = (stage.agent.as_ref().unwrap(), stage.vm("web"));
    let errors = [
        agent.serial(&web, 0).await.err(),
        agent.screen(&web).await.err(),
        agent.pull(&web, "/etc/motd").await.err(),
    ];
    for error in errors.map(Option::unwrap) {
        assert_eq!(
            (error.code, error.message.as_str()),
            (Code::Conflict, "VM \"web\" is not running")
        );
    }
    // But what it has said last is there.
    let log = agent.log(&web, LogSource::Serial, 1 << 20, true).await.unwrap();
    assert!(text(log).await.contains("guest is up: web"));
}

#[tokio::test(start_paused = true)]
async fn the_agents_log_tells_what_was_done_and_goes_on() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let (agent, web) = (stage.agent.as_ref().unwrap(), stage.vm("web"));
    let log = text(agent.log(&web, LogSource::Agent, 1 << 20, false).await.unwrap()).await;
    let words = ["creating", "starting\n", " start\n", "the guest is process", " running\n"];
    let places: Vec<_> = words.iter().filter_map(|word| log.find(word)).collect();
    assert!(places.len() == words.len() && places.is_sorted(), "{log}");

    let mut more = agent.log(&web, LogSource::Agent, 0, true).await.unwrap();
    stage.stop("web", 60, true).await;
    let mut seen = String::new();
    while !seen.contains(" stopped\n") {
        seen += str::from_utf8(&more.next().await.unwrap().unwrap()).unwrap();
    }
    assert!(seen.contains("was stopped") && !seen.contains(" running\n"), "{seen}");
}
