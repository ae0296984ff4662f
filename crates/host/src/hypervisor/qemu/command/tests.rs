//! What must and must not stand on QEMU's command line.

use novacron_model::units::Bytes;
use novacron_model::vm::{DiskBus, Firmware};
use novacron_model::volume::{DiskFormat, IoLimits};
use uuid::Uuid;

use super::super::super::{CdromDrive, Drive};
use super::*;

fn machine() -> Machine {
    Machine {
        uid: Uuid::from_u128(7),
        name: "web".to_owned(),
        epoch: 1,
        cpus: 2,
        memory: Bytes::mib(512),
        boot: Boot::Firmware,
        drives: Vec::new(),
        cdroms: Vec::new(),
        cidata: None,
        nics: Vec::new(),
        preset: Preset::Linux,
        firmware: Firmware::Bios,
        tpm: false,
        paused: false,
    }
}

fn drive(path: &str, backing: Option<(&str, DiskFormat)>) -> Drive {
    Drive {
        serial: "root".to_owned(),
        bus: DiskBus::Virtio,
        boot_index: 1,
        path: path.into(),
        format: DiskFormat::Qcow2,
        backing: backing.map(|(path, format)| (path.into(), format)),
        limits: IoLimits::default(),
    }
}

fn words(machine: &Machine) -> Vec<String> {
    words_with(machine, &BTreeMap::new())
}

fn words_with(machine: &Machine, taps: &BTreeMap<usize, Tap>) -> Vec<String> {
    let place = Place {
        accelerator: Accelerator::Tcg,
        pid_file: Path::new("/data/run/7/pid"),
        serial_log: Path::new("/data/run/7/serial.live"),
        qmp: 10,
        serial: 11,
        agent: 12,
        firmware: None,
        tpm: None,
        taps,
    };
    let words = arguments(machine, &place).unwrap();
    words.into_iter().map(|word| word.into_string().unwrap()).collect()
}

fn json_of(words: &[String], option: &str) -> Vec<Value> {
    let pairs = words.windows(2).filter(|pair| pair[0] == option);
    pairs.filter_map(|pair| serde_json::from_str(&pair[1]).ok()).collect()
}

#[test]
fn a_hostile_name_stays_a_name() {
    let mut machine = machine();
    machine.name = "a,process=x,debug-threads=on\n".to_owned();
    let words = words(&machine);
    assert!(
        words.contains(
            &"guest=a,,process=x,,debug-threads=on?,process=vm-a,,process=x,,debug-threads=on?"
                .to_owned()
        )
    );
}

#[test]
fn a_hostile_path_stays_a_path() {
    let path = "/data/a,format=raw\",\"x\":\"/b c";
    let mut machine = machine();
    machine.drives = vec![drive(path, None)];
    let blocks = json_of(&words(&machine), "-blockdev");
    assert_eq!(blocks[0]["file"]["filename"], path);
    assert_eq!(blocks[0]["driver"], "qcow2");
}

#[test]
fn no_layer_is_left_to_probing() {
    let mut machine = machine();
    machine.drives = vec![
        drive("/a", None),
        drive("/b", Some(("/image", DiskFormat::Qcow2))),
        drive("/c", Some(("/image", DiskFormat::Raw))),
    ];
    let blocks = json_of(&words(&machine), "-blockdev");
    assert!(blocks[0]["backing"].is_null() && blocks[0].get("backing").is_some());
    assert_eq!(blocks[1]["backing"]["driver"], "qcow2");
    assert_eq!(blocks[1]["backing"]["read-only"], true);
    assert!(blocks[1]["backing"].get("backing").is_some_and(Value::is_null));
    assert_eq!(blocks[2]["backing"]["driver"], "raw");
}

#[test]
fn many_disks_move_to_one_scsi_controller() {
    let mut machine = machine();
    machine.drives = (0..20).map(|n| drive(&format!("/{n}"), None)).collect();
    let devices = json_of(&words(&machine), "-device");
    let count = |driver: &str| devices.iter().filter(|device| device["driver"] == driver).count();
    assert_eq!((count("virtio-blk-pci"), count("virtio-scsi-pci"), count("scsi-hd")), (12, 1, 8));
}

#[test]
fn spare_ports_have_chassis_numbers_of_their_own() {
    let devices = json_of(&words(&machine()), "-device");
    let mut chassis: Vec<i64> = devices.iter().filter_map(|d| d["chassis"].as_i64()).collect();
    chassis.dedup();
    assert_eq!(chassis.len(), SPARE_PORTS);
}

#[test]
fn forwards_are_written_as_slirp_reads_them() {
    let mut machine = machine();
    machine.nics = vec![NicPort {
        mac: [2, 0, 0, 0xab, 0, 1],
        model: NicModel::Virtio,
        bridge: None,
        forwards: vec![Forward {
            address: "127.0.0.1".parse().unwrap(),
            host: 8080,
            guest: 80,
            protocol: Protocol::Udp,
        }],
    }];
    let words = words(&machine);
    let netdev = &json_of(&words, "-netdev")[0];
    assert_eq!(netdev["hostfwd"][0]["str"], "udp:127.0.0.1:8080-:80");
    let devices = json_of(&words, "-device");
    assert!(devices.iter().any(|device| device["mac"] == "02:00:00:ab:00:01"));
    machine.nics[0].forwards[0].address = "::1".parse().unwrap();
    let place = Place {
        accelerator: Accelerator::Kvm,
        pid_file: Path::new("/p"),
        serial_log: Path::new("/s"),
        qmp: 1,
        serial: 2,
        agent: 3,
        firmware: None,
        tpm: None,
        taps: &BTreeMap::new(),
    };
    let error = arguments(&machine, &place).unwrap_err();
    assert_eq!(error.code, novacron_model::Code::Unsupported);
}

#[test]
fn a_windows_machine_has_what_windows_knows() {
    let mut machine = machine();
    machine.preset = Preset::Windows;
    machine.drives =
        (1..=5).map(|n| Drive { bus: DiskBus::Sata, boot_index: n, ..drive("/d", None) }).collect();
    let medium = Some("/images/win.iso".into());
    machine.cdroms = vec![
        CdromDrive { name: "cd0".to_owned(), medium, boot_index: 6 },
        CdromDrive { name: "cd1".to_owned(), medium: None, boot_index: 7 },
    ];
    let words = words(&machine);
    assert!(words.windows(2).any(|pair| pair == ["-rtc", "base=localtime"]));
    let devices = json_of(&words, "-device");
    let ports: Vec<_> = devices
        .iter()
        .filter(|device| ["ide-hd", "ide-cd"].iter().any(|driver| device["driver"] == *driver))
        .map(|device| device["bus"].as_str().unwrap())
        .collect();
    assert_eq!(ports, ["ide.0", "ide.1", "ide.2", "ide.3", "ide.4", "ide.5", "sata1.0"]);
    let controller = devices.iter().position(|device| device["id"] == "sata1").unwrap();
    let empty = devices.iter().position(|device| device["id"] == "cdrom-cd1").unwrap();
    assert!(controller < empty && devices[empty].get("drive").is_none(), "{devices:?}");
    let blocks = json_of(&words, "-blockdev");
    let medium = blocks.iter().find(|block| block["node-name"] == "medium-cd0").unwrap();
    assert_eq!((&medium["driver"], &medium["read-only"]), (&json!("raw"), &json!(true)));
}

#[test]
fn secure_firmware_guards_its_variables() {
    let mut machine = machine();
    machine.firmware = Firmware::UefiSecure;
    let files = FirmwareFiles { code: "/code.fd".into(), variables: "/vars.fd".into() };
    let place = Place {
        accelerator: Accelerator::Tcg,
        pid_file: Path::new("/p"),
        serial_log: Path::new("/s"),
        qmp: 1,
        serial: 2,
        agent: 3,
        firmware: Some(files),
        tpm: Some(9),
        taps: &BTreeMap::new(),
    };
    let words = arguments(&machine, &place).unwrap();
    let words: Vec<_> = words.into_iter().map(|word| word.into_string().unwrap()).collect();
    let kind = "q35,usb=off,pflash0=firmware,pflash1=variables,smm=on".to_owned();
    assert!(words.contains(&kind), "{words:?}");
    assert!(words.contains(&"driver=cfi.pflash01,property=secure,value=on".to_owned()));
    assert!(words.contains(&"socket,id=tpm,fd=9".to_owned()));
    let flash = json_of(&words, "-blockdev");
    assert_eq!((&flash[0]["read-only"], &flash[1]["read-only"]), (&json!(true), &json!(false)));
}

#[test]
fn a_nic_on_a_bridge_gets_its_tap_and_what_mtu_it_has() {
    let mut machine = machine();
    let nic = |model| NicPort {
        mac: [2, 0, 0, 0, 0, 1],
        model,
        bridge: Some("br0".to_owned()),
        forwards: Vec::new(),
    };
    machine.nics = vec![nic(NicModel::Virtio), nic(NicModel::E1000e), nic(NicModel::Virtio)];
    let tap = |mtu| Tap { fd: std::fs::File::open("/dev/null").unwrap().into(), mtu };
    let taps = BTreeMap::from([(0, tap(9000)), (1, tap(9000)), (2, tap(1500))]);
    let words = words_with(&machine, &taps);
    let netdevs = json_of(&words, "-netdev");
    assert_eq!(
        netdevs[0],
        json!({"type": "tap", "id": "net0", "fd": taps[&0].fd.as_raw_fd().to_string()})
    );
    let devices = json_of(&words, "-device");
    let nics: Vec<_> = devices.iter().filter(|device| device["mac"].is_string()).collect();
    let mtus: Vec<_> = nics.iter().map(|nic| nic["host_mtu"].as_u64()).collect();
    assert_eq!(mtus, [Some(9000), None, None]);
}
