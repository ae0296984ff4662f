//! Exports of volumes and VMs: when they can be read, and what is told when they cannot.

use futures::{StreamExt, TryStreamExt};
use novacron_model::image::{ImageSource, ImageSpec};
use novacron_model::snapshot::SnapshotSpec;
use novacron_model::task::TaskState;
use novacron_model::vm::{RestartPolicy, VmState};
use novacron_model::volume::DiskFormat::{Qcow2, Raw};
use novacron_model::{Code, Image, Name, Object, Result, Snapshot, Vm, Volume};

use crate::stage::Stage;

/// Exports a volume; its content as text.
async fn export(stage: &Stage, name: &str, snapshot: Option<&str>) -> Result<String> {
    let volume = stage.hand.get::<Volume>(name)?.unwrap();
    export_of(stage, &volume, snapshot).await
}

async fn export_of(
    stage: &Stage,
    volume: &Object<Volume>,
    snapshot: Option<&str>,
) -> Result<String> {
    let agent = stage.agent.as_ref().unwrap();
    let content = agent.export_volume(volume, snapshot, Raw).await?;
    let bytes: Vec<bytes::Bytes> = content.bytes.try_collect().await?;
    let text = String::from_utf8(bytes.concat()).unwrap();
    assert_eq!(content.size.0, text.len() as u64);
    Ok(text)
}

#[tokio::test(start_paused = true)]
async fn a_disk_is_exported_while_its_vm_is_stopped_or_from_a_snapshot() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let error = export(&stage, "web-root", None).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::Conflict, "VM \"web\" is running"));
    assert!(error.hint.unwrap().contains("--snapshot"));
    let error = export(&stage, "web-root", Some("before")).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);

    let spec = SnapshotSpec { vm: Name::new("web").unwrap(), parent: None };
    let task = stage.hand.create::<Snapshot>("web.before", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let uid = stage.hand.get::<Volume>("web-root").unwrap().unwrap().meta.uid;
    for name in ["before", "web.before"] {
        let text = export(&stage, "web-root", Some(name)).await.unwrap();
        assert_eq!(text, format!("volume {uid} as raw"));
    }

    stage.stop("web", 60, true).await;
    stage.wait_state("web", VmState::Stopped).await;
    assert_eq!(export(&stage, "web-root", None).await.unwrap(), format!("volume {uid} as raw"));
    stage.machine.pools.set_full(true);
    assert_eq!(export(&stage, "web-root", None).await.unwrap_err().code, Code::StorageFull);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_gone_is_not_exported() {
    let stage = Stage::new().await;
    let spec = serde_json::from_value(serde_json::json!({"size": 1 << 20})).unwrap();
    let task = stage.hand.create::<Volume>("data", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let volume = stage.hand.get::<Volume>("data").unwrap().unwrap();
    assert!(export_of(&stage, &volume, None).await.is_ok());
    let error = export_of(&stage, &volume, Some("before")).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("snapshot"), "no VM holds it: {error}");
    stage.hand.delete::<Volume>("data", false).await.unwrap();
    stage.wait_gone::<Volume>("data").await;
    assert_eq!(export_of(&stage, &volume, None).await.unwrap_err().code, Code::NotFound);
    let agent = stage.agent.as_ref().unwrap();
    assert!(agent.export_volume(&volume, None, Qcow2).await.is_err());
}

/// The bytes of a VM's export.
async fn export_vm(stage: &Stage, name: &str, snapshot: Option<&str>) -> Result<Vec<u8>> {
    let vm = stage.hand.get::<Vm>(name)?.unwrap();
    let content = stage.agent.as_ref().unwrap().export_vm(&vm, snapshot).await?;
    let bytes: Vec<bytes::Bytes> = content.bytes.try_collect().await?;
    let bytes = bytes.concat();
    assert_eq!(content.size.0, bytes.len() as u64);
    Ok(bytes)
}

#[tokio::test(start_paused = true)]
async fn a_vm_is_exported_and_uploaded_as_an_image_with_its_machine() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let error = export_vm(&stage, "web", None).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::Conflict, "VM \"web\" is running"));
    let spec = SnapshotSpec { vm: Name::new("web").unwrap(), parent: None };
    let task = stage.hand.create::<Snapshot>("web.before", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let of_snapshot = export_vm(&stage, "web", Some("before")).await.unwrap();
    stage.stop("web", 60, true).await;
    stage.wait_state("web", VmState::Stopped).await;
    assert_eq!(export_vm(&stage, "web", None).await.unwrap(), of_snapshot);

    let pool = Name::new("default").unwrap();
    let source = ImageSource::Upload {};
    let spec = ImageSpec { source, sha256: None, pool, os: String::new() };
    let task = stage.hand.create::<Image>("copy", spec).await.unwrap().unwrap();
    let located =
        |stage: &Stage| stage.hand.get::<Image>("copy").unwrap().unwrap().status.location.is_some();
    stage.wait_until("a node", located).await;
    let image = stage.hand.get::<Image>("copy").unwrap().unwrap();
    let (length, content) =
        (of_snapshot.len() as u64, futures::stream::iter([Ok(of_snapshot.into())]));
    let agent = stage.agent.as_ref().unwrap();
    agent.upload(&image, Some(length), content.boxed()).await.unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let content = stage.hand.get::<Image>("copy").unwrap().unwrap().status.content.unwrap();
    let machine = content.machine.unwrap();
    assert_eq!((machine.name.as_str(), machine.disks.len()), ("web", 1));
}

#[tokio::test(start_paused = true)]
async fn exports_that_are_not_read_to_their_end_keep_others_waiting() {
    let stage = Stage::new().await;
    let spec = serde_json::from_value(serde_json::json!({"size": 1 << 20})).unwrap();
    let task = stage.hand.create::<Volume>("data", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let volume = stage.hand.get::<Volume>("data").unwrap().unwrap();
    let agent = stage.agent.as_ref().unwrap();
    let begin = || agent.export_volume(&volume, None, Raw);
    let (mut first, _second) = (begin().await.unwrap(), begin().await.unwrap());
    while first.bytes.next().await.is_some() {}
    let error = begin().await.err().expect("each has the room of a copy");
    assert_eq!(error.message, format!("2 exports of node \"{}\" are under way", agent.node()));
    drop(first);
    assert!(begin().await.is_ok());
}
