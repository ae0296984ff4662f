//! Disks, limits and media of a guest that runs, also when the daemon dies in between.

use std::str::FromStr;
use std::time::Duration;

use novacron_control::{Resource, vm};
use novacron_model::image::{ImageSource, ImageSpec, ImageState};
use novacron_model::request::{AttachRequest, DetachRequest, PortText};
use novacron_model::task::TaskState;
use novacron_model::vm::{Cdrom, RestartPolicy, VmState};
use novacron_model::volume::{DiskFormat, IoLimits, VolumeSpec, VolumeState};
use novacron_model::{Bytes, Code, Image, Name, Object, Vm, Volume};
use tokio::time::sleep;
use uuid::Uuid;

use crate::stage::Stage;

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

/// A running VM `web` with one disk, and a free volume `data`.
async fn stage() -> (Stage, Uuid) {
    let stage = Stage::new().await;
    let web = stage.launch("web", RestartPolicy::OnFailure).await;
    let spec = VolumeSpec {
        size: Bytes::gib(1),
        pool: name("default"),
        format: DiskFormat::Qcow2,
        image: None,
        image_disk: None,
        source: None,
        limits: None,
    };
    stage.hand.create::<Volume>("data", spec).await.unwrap();
    stage.wait_until("the volume", |stage| volume(stage).status.state == VolumeState::Ready).await;
    (stage, web)
}

fn volume(stage: &Stage) -> Object<Volume> {
    stage.hand.get::<Volume>("data").unwrap().unwrap()
}

async fn attach(stage: &Stage, to: &str) -> novacron_model::Result<Uuid> {
    let body = AttachRequest { volume: name("data"), disk: None, bus: None };
    let task = stage.hand.act::<Vm>(to, |request, vm| vm::attach(request, vm, &body)).await?;
    Ok(task.unwrap())
}

async fn detach(stage: &Stage, from: &str) -> Uuid {
    let body = DetachRequest { volume: name("data") };
    let task = stage.hand.act::<Vm>(from, |request, vm| vm::detach(request, vm, &body)).await;
    task.unwrap().unwrap()
}

/// Whether the guest has the volume's file open.
fn is_open(stage: &Stage, guest: Uuid) -> bool {
    let uid = volume(stage).meta.uid.to_string();
    let open = stage.machine.world.open_files(guest);
    open.iter().any(|path| path.to_string_lossy().contains(&uid))
}

/// A guest has open only what is its VM's.
fn check(stage: &Stage) {
    for guest in stage.machine.world.guests() {
        let holder = volume(stage).status.attachment.map(|attachment| attachment.vm_uid);
        assert!(!is_open(stage, guest) || holder == Some(guest), "it is open, but of {holder:?}");
    }
}

/// Waits for the end of a task; looks at every moment whether something is wrong.
async fn watched(stage: &Stage, task: Uuid) -> TaskState {
    stage
        .wait_until("the task's end", |stage| {
            check(stage);
            let task = stage.hand.get::<novacron_model::Task>(&task.to_string()).unwrap().unwrap();
            task.status.state != TaskState::Running
        })
        .await;
    stage.outcome(task).await
}

#[tokio::test(start_paused = true)]
async fn a_running_guest_gets_a_disk_and_gives_it_up() {
    let (stage, web) = stage().await;
    let pid = stage.pid("web");
    let task = attach(&stage, "web").await.unwrap();
    assert_eq!(watched(&stage, task).await, TaskState::Succeeded);
    assert!(is_open(&stage, web));
    let task = detach(&stage, "web").await;
    assert_eq!(watched(&stage, task).await, TaskState::Succeeded);
    assert!(!is_open(&stage, web));
    assert_eq!(volume(&stage).status.attachment, None);
    assert_eq!((stage.pid("web"), stage.vm("web").status.state), (pid, VmState::Running));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_clings_to_a_disk_is_asked_again() {
    let (stage, web) = stage().await;
    let task = attach(&stage, "web").await.unwrap();
    stage.outcome(task).await;
    stage.machine.world.cling(web, true);
    let task = detach(&stage, "web").await;
    assert_eq!(watched(&stage, task).await, TaskState::Failed);
    let pending = stage.vm("web").status.pending;
    assert_eq!(pending[0].text, "disk \"data\" removed");
    assert!(pending[0].reason.as_deref().unwrap_or_default().contains("let go"), "{pending:?}");
    stage.launch("db", RestartPolicy::Never).await;
    assert_eq!(attach(&stage, "db").await.unwrap_err().code, Code::Conflict);
    stage.machine.world.cling(web, false);
    stage
        .wait_until("the volume to be free", |stage| {
            check(stage);
            volume(stage).status.attachment.is_none()
        })
        .await;
    assert!(stage.vm("web").status.pending.is_empty());
    let task = attach(&stage, "db").await.unwrap();
    assert_eq!(watched(&stage, task).await, TaskState::Succeeded);
}

/// Changes are asked for, and the daemon dies some milliseconds later.
#[tokio::test(start_paused = true)]
async fn a_daemon_that_dies_while_disks_come_and_go_leaves_nothing_open() {
    let (mut stage, web) = stage().await;
    for millis in 0..30 {
        let task = attach(&stage, "web").await.unwrap();
        sleep(Duration::from_millis(millis)).await;
        stage.kill_agent().await;
        check(&stage);
        stage.start_agent();
        assert_eq!(watched(&stage, task).await, TaskState::Succeeded, "killed after {millis} ms");
        assert!(is_open(&stage, web));
        let task = detach(&stage, "web").await;
        sleep(Duration::from_millis(millis)).await;
        stage.kill_agent().await;
        check(&stage);
        stage.start_agent();
        assert_eq!(watched(&stage, task).await, TaskState::Succeeded, "killed after {millis} ms");
        assert!(!is_open(&stage, web));
    }
    assert_eq!(stage.witness.starts(web), 1);
}

/// The daemon dies some milliseconds into a change of forwards, and the user has another mind by the
/// time that the next one begins.
#[tokio::test(start_paused = true)]
async fn a_daemon_that_dies_while_ports_change_leaves_none_that_is_not_wanted() {
    let (mut stage, web) = stage().await;
    // Each half of a change takes some milliseconds.
    let _slow = stage.machine.world.clone().with_latency(7, Duration::from_millis(8));
    let forward = async |stage: &Stage, hosts: &[u16]| {
        let port = |host: &u16| PortText::from_str(&format!("{host}:80")).unwrap().0;
        let change = |request: &mut novacron_control::Request<'_>, old: &Object<Vm>| {
            let mut new = old.clone();
            new.spec.nics.as_mut().unwrap()[0].ports = hosts.iter().map(port).collect();
            Vm::update(request, old, new)
        };
        stage.hand.act::<Vm>("web", change).await.unwrap();
    };
    let leads = |stage: &Stage, hosts: &[u16]| {
        stage.machine.world.forwarded(web).into_iter().eq(hosts.iter().copied())
    };
    let mut halves = 0;
    for then in [&[8080_u16][..], &[8082], &[8081], &[]] {
        for millis in 0..30 {
            forward(&stage, &[8080]).await;
            stage.wait_until("the first port", |stage| leads(stage, &[8080])).await;
            forward(&stage, &[8081]).await;
            sleep(Duration::from_millis(millis)).await;
            stage.kill_agent().await;
            halves += usize::from(leads(&stage, &[8080, 8081]));
            forward(&stage, then).await;
            stage.start_agent();
            let what = format!("{then:?} after {millis} ms");
            stage.wait_until(&what, |stage| leads(stage, then)).await;
            let rests = |stage: &Stage| stage.runtime("web").begun.is_empty();
            stage.wait_until("the end of it", rests).await;
            assert!(leads(&stage, then), "{what}");
        }
    }
    assert!(halves > 0, "it never died between the halves");
    assert_eq!(stage.witness.starts(web), 1);
}

/// A volume that is taken away while it is plugged in is free only once it is out again.
#[tokio::test(start_paused = true)]
async fn a_change_of_mind_in_the_middle_leaves_nothing_open() {
    let (mut stage, web) = stage().await;
    for millis in 0..30 {
        attach(&stage, "web").await.unwrap();
        for _ in 0..millis {
            sleep(Duration::from_millis(1)).await;
            check(&stage);
        }
        let task = detach(&stage, "web").await;
        if millis % 3 == 0 {
            stage.kill_agent().await;
            stage.start_agent();
        }
        while volume(&stage).status.attachment.is_some() {
            check(&stage);
            sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..20 {
            check(&stage);
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(stage.outcome(task).await, TaskState::Succeeded, "after {millis} ms");
        assert!(!is_open(&stage, web));
    }
}

#[tokio::test(start_paused = true)]
async fn limits_hold_at_once_and_from_the_next_start_on() {
    let (stage, web) = stage().await;
    let task = attach(&stage, "web").await.unwrap();
    stage.outcome(task).await;
    let limit = async |iops: Option<u32>| {
        let limits = Some(IoLimits { iops, bandwidth: None });
        let change = |request: &mut novacron_control::Request<'_>, old: &Object<Volume>| {
            let mut new = old.clone();
            new.spec.limits = limits;
            Volume::update(request, old, new)
        };
        stage.hand.act::<Volume>("data", change).await.unwrap();
    };
    let iops = |stage: &Stage| {
        let file = volume(stage).meta.uid.to_string();
        let open = stage.machine.world.open_files(web);
        let path = open.into_iter().find(|path| path.to_string_lossy().contains(&file))?;
        stage.machine.world.limits(web, &path)?.iops
    };
    limit(Some(100)).await;
    stage.wait_until("the limit", |stage| iops(stage) == Some(100)).await;
    let task = stage.stop("web", 5, true).await;
    stage.outcome(task).await;
    limit(Some(50)).await;
    stage.start("web").await;
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(iops(&stage), Some(50));
    limit(None).await;
    stage.wait_until("no limit", |stage| iops(stage).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_medium_changes_while_the_guest_runs() {
    let (stage, web) = stage().await;
    let url = ImageSource::Url("https://images.example/setup.iso".into());
    let spec = ImageSpec { source: url, sha256: None, pool: name("default"), os: String::new() };
    stage.hand.create::<Image>("setup", spec).await.unwrap();
    stage
        .wait_until("the ISO", |stage| {
            let image = stage.hand.get::<Image>("setup").unwrap().unwrap();
            image.status.state == ImageState::Ready
        })
        .await;
    let insert = async |image: Option<&str>| {
        let change = |request: &mut novacron_control::Request<'_>, old: &Object<Vm>| {
            let mut new = old.clone();
            new.spec.cdroms = vec![Cdrom { name: name("cd0"), image: image.map(name) }];
            Vm::update(request, old, new)
        };
        stage.hand.act::<Vm>("web", change).await.unwrap();
    };
    let has_iso = |stage: &Stage| {
        let open = stage.machine.world.open_files(web);
        open.iter().any(|path| path.ends_with("cd.iso"))
    };
    insert(None).await;
    let pending = stage.vm("web").status.pending;
    assert_eq!(pending[0].text, "CD-ROM drive \"cd0\" added", "a drive waits");
    let task = stage.stop("web", 5, true).await;
    stage.outcome(task).await;
    stage.start("web").await;
    stage.wait_state("web", VmState::Running).await;
    for (image, there) in [(Some("setup"), true), (None, false), (Some("setup"), true)] {
        insert(image).await;
        stage.wait_until("the medium", |stage| has_iso(stage) == there).await;
        assert!(stage.vm("web").status.pending.is_empty());
    }
    stage.machine.world.cling(web, true);
    insert(None).await;
    stage.wait_until("the refusal", |stage| !stage.vm("web").status.pending.is_empty()).await;
    stage.machine.world.cling(web, false);
    stage.wait_until("the empty drive", |stage| !has_iso(stage)).await;
}
