//! A small world to look at: images and VMs in several states, for work on the console.

use std::sync::Arc;

use novacron_agent::Clock;
use novacron_control::Resource;
use novacron_model::image::{ImageSource, ImageSpec};
use novacron_model::vm::{Disk, Nic, PortForward, Run, VmSpec};
use novacron_model::volume::{DiskFormat, VolumeSpec};
use novacron_model::{Bytes, Code, Image, Name, Result, Vm, Volume};
use novacron_store::Store;

use crate::hand::Hand;

/// Makes what is missing; to be called once planners and agents run.
pub async fn fixtures(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<()> {
    let hand = Hand { store, clock };
    let images = [
        ("debian-12", "https://images.example/debian-12.qcow2", "Debian 12"),
        ("micro", "https://images.example/micro.tar", "NovaCron micro guest"),
        ("broken", "https://images.example/missing", ""),
    ];
    for (name, url, os) in images {
        make::<Image>(&hand, name, image(url, os)?).await?;
    }
    let volume = VolumeSpec {
        size: Bytes::gib(20),
        pool: Name::new("default")?,
        format: DiskFormat::Qcow2,
        image: None,
        source: None,
        limits: None,
        image_disk: None,
    };
    make::<Volume>(&hand, "data", volume).await?;
    let vms = [("web", Run::Running, 8080), ("db", Run::Running, 5432), ("build", Run::Stopped, 0)];
    for (name, run, port) in vms {
        make::<Vm>(&hand, name, vm(run, port)?).await?;
    }
    Ok(())
}

async fn make<K: Resource>(hand: &Hand, name: &str, spec: K::Spec) -> Result<()> {
    match hand.create::<K>(name, spec).await {
        Err(error) if error.code != Code::Conflict => Err(error),
        _ => Ok(()),
    }
}

fn image(url: &str, os: &str) -> Result<ImageSpec> {
    Ok(ImageSpec {
        source: ImageSource::Url(url.to_owned()),
        sha256: None,
        pool: Name::new("default")?,
        os: os.to_owned(),
    })
}

fn vm(run: Run, port: u16) -> Result<VmSpec> {
    let forward = |host| PortForward {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        host,
        guest: 80,
        protocol: novacron_model::vm::Protocol::Tcp,
    };
    let ports = (port > 0).then(|| forward(port)).into_iter().collect();
    let disk = Disk {
        name: Name::new("root")?,
        volume: None,
        size: Some(Bytes::gib(10)),
        pool: None,
        image: None,
        owned: true,
        bus: None,
    };
    Ok(VmSpec {
        run,
        disks: vec![disk],
        nics: Some(vec![Nic { ports, ..Nic::default() }]),
        ..VmSpec::default()
    })
}
