//! Whole VMs: what is packed comes out of an import again, and what lies is refused.

use futures::{StreamExt, TryStreamExt};
use novacron_host::hypervisor::Boot;
use novacron_host::image::pack::{Kernel, Packing, Part, pack};
use novacron_host::image::{ImageFiles, machine_in};
use novacron_model::Code;
use novacron_model::image::{ImageKind, ImageMachine};
use novacron_model::units::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hostile::{self, FILE, assert_refused, refusal, tar};
use crate::image::{importer, qcow2, quiet, upload};
use crate::tool::{names, noise, place, qemu_img};

fn machine(disks: &Value) -> ImageMachine {
    let machine = json!({
        "name": "web", "cpus": 3, "memory": 256 << 20, "disks": disks, "notes": "kept",
        "nics": [{"ports": [{"host": 8080, "guest": 80}]}], "cdroms": [{"name": "cd"}],
    });
    serde_json::from_value(machine).unwrap()
}

fn part(content: impl Into<Vec<u8>>) -> Part {
    let content = content.into();
    let size = Bytes(content.len() as u64);
    Part { size, bytes: futures::stream::iter([Ok(content.into())]).boxed() }
}

async fn packed(packing: Packing) -> Vec<u8> {
    let Part { size, bytes } = pack(packing).unwrap();
    let bytes: Vec<bytes::Bytes> = bytes.try_collect().await.unwrap();
    let bytes = bytes.concat();
    assert_eq!(bytes.len() as u64, size.0, "the length is known beforehand");
    bytes
}

#[tokio::test]
async fn what_was_packed_comes_out_again() {
    let place = place().await;
    let (file, noise) = qcow2(place.dir.path(), &[]);
    let raw = crate::tool::noise(3 << 20);
    let disks = json!([{"name": "data", "size": 7}, {"name": "root", "bus": "sata"}]);
    let kernel =
        Kernel { kernel: part("kernel"), initrd: Some(part("rd")), cmdline: "quiet".to_owned() };
    let packing = Packing {
        os: "Debian 12".to_owned(),
        machine: machine(&disks),
        kernel: Some(kernel),
        disks: vec![part(file), part(raw)],
    };
    let content = packed(packing).await;
    assert_eq!(machine_in(&content[..4096]).map(|machine| machine.cpus), Some(3));

    let image = Uuid::now_v7();
    let files = importer(&place).import(image, upload(content), None, &quiet).await.unwrap();
    assert_eq!((files.kind, files.os.as_str()), (ImageKind::Bundle, "Debian 12"));
    assert_eq!(files.virtual_size, Bytes::mib(1), "of the first disk");
    let told = json!([
        {"name": "data", "size": 1 << 20}, {"name": "root", "size": 3 << 20, "bus": "sata"}
    ]);
    assert_eq!(files.machine, Some(machine(&told)), "with the sizes that the disks have");
    assert!(
        matches!(&files.boot, Boot::Kernel { initrd: Some(_), cmdline, .. } if cmdline == "quiet")
    );
    let out = place.dir.path().join("out");
    for (name, content) in [("data", noise), ("root", crate::tool::noise(3 << 20))] {
        let disk = &files.disks[&novacron_model::Name::new(name).unwrap()];
        let (from, to) = (disk.path.to_str().unwrap(), out.to_str().unwrap());
        qemu_img(&["convert", "-f", disk.format.as_str(), "-O", "raw", from, to]);
        assert!(std::fs::read(&out).unwrap() == content, "{name}");
    }
    assert_eq!(files.disk.as_ref(), files.disks.values().next());
    assert_eq!(ImageFiles::open(&*place.pool, image).await.unwrap(), Some(files));
    let dir = place.path.join("images").join(image.to_string());
    let held = ["disk-data.qcow2", "disk-root.raw", "image.json", "initrd", "kernel"];
    assert_eq!(names(&dir), held);
}

#[tokio::test]
async fn a_vm_without_disks_and_kernel_is_one_too() {
    let place = place().await;
    let packing =
        Packing { os: String::new(), machine: machine(&json!([])), kernel: None, disks: vec![] };
    let content = packed(packing).await;
    let image = Uuid::now_v7();
    let files = importer(&place).import(image, upload(content), None, &quiet).await.unwrap();
    assert_eq!((files.disk, files.boot), (None, Boot::Firmware));
    assert!(files.machine.is_some());
}

const MANIFEST: &[u8] = b"format = 2\nvm = \"vm.json\"\n[[disks]]\nname = \"root\"\nfile = \"d\"\n";

fn vm(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut vm = json!({"name": "web", "cpus": 1, "memory": 1 << 28, "disks": [{"name": "root"}]});
    change(&mut vm);
    vm.to_string().into_bytes()
}

#[tokio::test]
async fn bundles_of_vms_with_tricks_are_refused() {
    let place = place().await;
    let manifest = ("image.toml", FILE, MANIFEST);
    let (plain, disk) = (vm(|_| ()), noise(4096));
    let (json, disk) = (("vm.json", FILE, plain.as_slice()), ("d", FILE, disk.as_slice()));
    let of = |text: &'static str| ("image.toml", FILE, text.as_bytes());
    let twice = "format = 2\nvm = \"vm.json\"\n[[disks]]\nname = \"a\"\nfile = \"d\"\n\
        [[disks]]\nname = \"a\"\nfile = \"e\"\n";
    let same_file = "format = 2\nvm = \"vm.json\"\n[[disks]]\nname = \"a\"\nfile = \"d\"\n\
        [[disks]]\nname = \"b\"\nfile = \"d\"\n";
    let up = "format = 2\nvm = \"vm.json\"\n[[disks]]\nname = \"root\"\nfile = \"../d\"\n";
    let name = "format = 2\nvm = \"vm.json\"\n[[disks]]\nname = \"../root\"\nfile = \"d\"\n";
    let bare = "format = 2\n";
    let odd = "format = 2\nvm = \"vm.json\"\ninitrd = \"rd\"\n";
    let old = "format = 1\nkernel = \"k\"\ncmdline = \"\"\nvm = \"vm.json\"\n";
    let cases: Vec<(&str, Vec<hostile::Part>)> = vec![
        ("two disks are named \"a\"", vec![of(twice), json, disk]),
        ("names \"d\" twice", vec![of(same_file), json, disk]),
        ("not a plain file name", vec![of(up), json, ("../d", FILE, b"x")]),
        ("is not a name", vec![of(name), json, disk]),
        ("missing field `vm`", vec![of(bare)]),
        ("no use for `initrd`", vec![of(odd)]),
        ("no use for `vm`", vec![of(old)]),
        ("\"d\" is missing", vec![manifest, json]),
        ("\"vm.json\" is missing", vec![manifest, disk]),
        ("not at all in", vec![manifest, json, disk, ("more", FILE, b"x")]),
    ];
    for (words, entries) in cases {
        assert_refused(&place, tar(&entries), words).await;
    }
    let mut long = MANIFEST.to_vec();
    long.resize(65 << 10, b'\n');
    assert_refused(&place, tar(&[("image.toml", FILE, &long)]), "first entry").await;
    let long = vm(|vm| vm["notes"] = "x".repeat(3 << 20).into());
    let error = refusal(&place, tar(&[manifest, ("vm.json", FILE, &long), disk])).await;
    assert_eq!(error.code, Code::TooLarge, "{error}");
}

#[tokio::test]
async fn a_vm_that_is_none_is_refused_with_the_field() {
    let place = place().await;
    let manifest = ("image.toml", FILE, MANIFEST);
    let disk = noise(4096);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("vm.json", b"{".to_vec()),
        ("vm.json: cpus", vm(|vm| vm["cpus"] = "two".into())),
        ("vm.json: root", vm(|vm| vm["root"] = true.into())),
        ("vm.json: name", vm(|vm| vm["name"] = "../x".into())),
        ("vm.json: disks[0].path", vm(|vm| vm["disks"][0]["path"] = "/etc".into())),
        ("vm.json: disks", vm(|vm| vm["disks"] = json!([{"name": "other"}]))),
        ("vm.json: disks", vm(|vm| vm["disks"] = json!([]))),
        ("vm.json: cloud_init.password", vm(|vm| vm["cloud_init"] = json!({"password": "x"}))),
        ("vm.json: cdroms[0].image", vm(|vm| vm["cdroms"] = json!([{"name": "c", "image": "i"}]))),
        ("vm.json: memory", vm(|vm| drop(vm.as_object_mut().unwrap().remove("memory")))),
    ];
    for (field, vm) in cases {
        let error =
            refusal(&place, tar(&[manifest, ("vm.json", FILE, &vm), ("d", FILE, &disk)])).await;
        assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some(field)), "{error}");
    }
}
