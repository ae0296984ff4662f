//! What is refused, in which words, and what is filled in.

use expect_test::{Expect, expect};
use novacron_control::{Resource, vm};
use novacron_model::request::{AttachRequest, DetachRequest, DraftMeta};
use novacron_model::{Bytes, Image, Name, Network, Node, Pool, Project, Task, Token, Vm, Volume};
use serde_json::{Value, json};

use super::world::{World, says};

fn check<T: std::fmt::Debug>(result: novacron_model::Result<T>, expect: &Expect) {
    expect.assert_eq(&says(result));
}

/// A world with images `debian` (3 GiB) and `micro` (no disk), and a running VM `web`.
fn world() -> World {
    let mut world = World::single();
    world.image("debian", Some(3));
    world.image("micro", None);
    let nics = json!([{"ports": [{"host": 8080, "guest": 80}]}]);
    world.create::<Vm>("web", json!({"image": "debian", "nics": nics, "run": "running"})).unwrap();
    world.create::<Volume>("data", json!({"size": 1 << 30})).unwrap();
    world.run();
    world
}

#[test]
fn a_vm_is_stored_in_full() {
    let world = world();
    let vm = world.get::<Vm>("web");
    expect![[r#"
        {
          "run": "running",
          "cpus": 2,
          "memory": 2147483648,
          "image": "debian",
          "disks": [
            {
              "name": "root",
              "volume": "web-root",
              "owned": true
            }
          ],
          "nics": [
            {
              "network": "user",
              "ports": [
                {
                  "address": "127.0.0.1",
                  "host": 8080,
                  "guest": 80,
                  "protocol": "tcp"
                }
              ]
            }
          ],
          "cloud_init": {
            "ssh_keys": []
          },
          "restart": "on_failure",
          "preset": "linux",
          "firmware": "bios",
          "tpm": false,
          "cdroms": [],
          "boot": [],
          "protected": false
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&vm.spec).unwrap());
    assert_eq!(world.get::<Volume>("web-root").spec.size.0, 10 << 30);
}

#[test]
fn a_bundle_without_disk_makes_no_volume() {
    let mut world = world();
    world.create::<Vm>("tiny", json!({"image": "micro"})).unwrap();
    assert!(world.get::<Vm>("tiny").spec.disks.is_empty());
}

#[test]
fn a_vm_with_a_wrong_field_is_refused_by_its_name() {
    let mut world = world();
    let mut refused = |spec: Value, expect: Expect| check(world.create::<Vm>("x", spec), &expect);
    refused(
        json!({"cpus": 0}),
        expect![[r#"invalid spec.cpus: a VM has between 1 and 1024 CPUs"#]],
    );
    refused(
        json!({"cpus": 33}),
        expect![[r#"invalid spec.cpus: 33 CPUs are more than any node has ("n1": 32)"#]],
    );
    refused(
        json!({"memory": 1 << 20}),
        expect![[r#"invalid spec.memory: 1 MiB of memory is too little; 16 MiB is the least"#]],
    );
    refused(
        json!({"memory": (32 << 20) + 1}),
        expect![[r#"invalid spec.memory: the memory of a VM is a whole number of MiB"#]],
    );
    refused(
        json!({"memory": 64_u64 << 30}),
        expect![[
            r#"invalid spec.memory: 64 GiB of memory is more than any node has ("n1": 63 GiB)"#
        ]],
    );
    refused(
        json!({"run": "paused"}),
        expect![[r#"invalid spec.run: a new VM is running or stopped"#]],
    );
    refused(
        json!({"image": "nosuch"}),
        expect![[
            r#"invalid spec.image: image "nosuch" does not exist; `novacron image list` shows what there is"#
        ]],
    );
    refused(
        json!({"nics": [{"network": "lan"}]}),
        expect![[
            r#"invalid spec.nics[0].network: network "lan" does not exist; `novacron network list` shows what there is"#
        ]],
    );
    refused(
        json!({"disks": [{"name": "a", "size": 1 << 30, "pool": "fast"}]}),
        expect![[
            r#"invalid spec.disks[0].pool: pool "fast" does not exist; `novacron pool list` shows what there is"#
        ]],
    );
    refused(
        json!({"disks": [{"name": "a", "volume": "none"}]}),
        expect![[
            r#"invalid spec.disks[0].volume: volume "none" does not exist; `novacron volume list` shows what there is"#
        ]],
    );
    refused(
        json!({"disks": [{"name": "a"}]}),
        expect![[r#"invalid spec.disks[0].size: disk "a" needs a size"#]],
    );
    refused(
        json!({"disks": [{"name": "a", "size": 1}]}),
        expect![[r#"invalid spec.disks[0].size: a volume has between 1 MiB and 64 TiB"#]],
    );
    refused(
        json!({"disks": [{"name": "a", "size": 1 << 30, "image": "debian"}]}),
        expect![[r#"invalid spec.disks[0].size: 1 GiB is less than the 3 GiB of image "debian""#]],
    );
    refused(
        json!({"disks": [{"name": "a", "size": 1 << 30, "image": "micro"}]}),
        expect![[r#"invalid spec.disks[0].image: image "micro" has no disk"#]],
    );
    refused(
        json!({"disks": [{"name": "a", "size": 1 << 30}, {"name": "a", "size": 1 << 30}]}),
        expect![[r#"invalid spec.disks[1].name: two disks are named "a""#]],
    );
    refused(
        json!({"disks": [{"name": "a", "volume": "data"}, {"name": "b", "volume": "data"}]}),
        expect![[r#"invalid spec.disks[1].volume: volume "data" is named twice"#]],
    );
    refused(
        json!({"disks": [{"name": "a", "volume": "data", "size": 1 << 30}]}),
        expect![[r#"invalid spec.disks[0].size: a volume that exists already has its size"#]],
    );
    refused(
        json!({"disks": [{"name": "a", "volume": "web-root"}]}),
        expect![[
            r#"conflict spec.disks[0].volume: volume "web-root" is attached to VM "web"; detach it first"#
        ]],
    );
    refused(
        json!({"disks": [{"name": "a-name-beyond-twenty-b", "size": 1 << 30}]}),
        expect![[
            r#"invalid spec.disks[0].name: the name of a disk has at most 20 characters; it is the disk's serial number in the guest"#
        ]],
    );
    refused(
        json!({"cloud_init": {"hostname": "a b"}}),
        expect![[
            r#"invalid spec.cloud_init.hostname: this is not a host name; use letters, digits and -, in parts joined by dots"#
        ]],
    );
    refused(
        json!({"cloud_init": {"ssh_keys": ["a\nb"]}}),
        expect![[
            r#"invalid spec.cloud_init.ssh_keys[0]: an SSH key is one line of authorized_keys"#
        ]],
    );
    refused(
        json!({"cloud_init": {"password": {"set": true}}}),
        expect![[
            r#"invalid spec.cloud_init.password: there is no password yet that could be kept"#
        ]],
    );
    refused(
        json!({"cloud_init": {"password": {"sealed": "x"}}}),
        expect![[
            r#"invalid spec.cloud_init.password: write the password itself, or leave it out"#
        ]],
    );
    assert!(world.find::<Vm>("x").is_none());
}

#[test]
fn a_port_of_the_host_leads_to_one_guest() {
    let mut world = world();
    let mut refused = |ports: Value, expect: Expect| {
        check(world.create::<Vm>("x", json!({"nics": [{"ports": ports}]})), &expect);
    };
    refused(
        json!([{"host": 8080, "guest": 1}]),
        expect![[
            r#"conflict spec.nics[0].ports[0]: port 8080 on 127.0.0.1 is used by VM "web"; choose another port of the host"#
        ]],
    );
    refused(
        json!([{"address": "0.0.0.0", "host": 8080, "guest": 1}]),
        expect![[
            r#"conflict spec.nics[0].ports[0]: port 8080 on 0.0.0.0 is used by VM "web"; choose another port of the host"#
        ]],
    );
    refused(
        json!([{"host": 81, "guest": 1}, {"address": "::", "host": 81, "guest": 2}]),
        expect![[r#"invalid spec.nics[0].ports[1]: port 81 on :: is forwarded twice"#]],
    );
    refused(
        json!([{"host": 0, "guest": 1}]),
        expect![[r#"invalid spec.nics[0].ports[0].host: a port lies between 1 and 65535"#]],
    );
    let free = json!([
        {"host": 8080, "guest": 1, "protocol": "udp"},
        {"address": "127.0.0.2", "host": 8080, "guest": 1}
    ]);
    world.create::<Vm>("x", json!({"nics": [{"ports": free}]})).unwrap();
    let wide = json!([{"ports": [{"address": "0.0.0.0", "host": 9000, "guest": 1}]}]);
    world.create::<Vm>("wide", json!({"nics": wide})).unwrap();
    let narrow = json!([{"ports": [{"host": 9000, "guest": 1}]}]);
    check(
        world.create::<Vm>("y", json!({"nics": narrow})),
        &expect![[
            r#"conflict spec.nics[0].ports[0]: port 9000 on 127.0.0.1 is used by VM "wide"; choose another port of the host"#
        ]],
    );
}

#[test]
fn two_requests_for_one_port_cannot_both_commit() {
    let mut world = World::single();
    let mut admit = |name: &str| {
        let meta = DraftMeta { name: name.into(), ..DraftMeta::default() };
        let nics = json!([{"ports": [{"host": 8080, "guest": 80}]}]);
        let spec = serde_json::from_value(json!({"nics": nics})).unwrap();
        let draft = novacron_model::request::Draft { meta, spec };
        world.admit(|request| <Vm as Resource>::create(request, draft)).unwrap()
    };
    let (one, two) = (admit("one"), admit("two"));
    world.commit(&one.txn).unwrap();
    assert!(world.commit(&two.txn).is_err());
}

#[test]
fn widening_an_address_and_another_claim_cannot_both_commit() {
    let mut world = World::single();
    let nics =
        |address: &str| json!([{"ports": [{"address": address, "host": 8080, "guest": 80}]}]);
    world.create::<Vm>("one", json!({"nics": nics("127.0.0.1")})).unwrap();
    let old = world.get::<Vm>("one");
    let mut new = old.clone();
    new.spec.nics = serde_json::from_value(nics("0.0.0.0")).unwrap();
    let wider = world.admit(|request| <Vm as Resource>::update(request, &old, new)).unwrap();
    world.create::<Vm>("two", json!({"nics": nics("10.0.0.1")})).unwrap();
    assert!(world.commit(&wider.txn).is_err(), "port 8080 of 10.0.0.1 is taken");
}

#[test]
fn a_name_is_taken_once_and_is_a_label() {
    let mut world = world();
    check(
        world.create::<Vm>("web", json!({})),
        &expect![[r#"conflict meta.name: VM "web" exists already"#]],
    );
    check(
        world.create::<Vm>("../x", json!({})),
        &expect![[
            r#"invalid meta.name: "../x" is not a name; use 1 to 63 of a-z, 0-9 and -, starting and ending with a letter or digit"#
        ]],
    );
    world.create::<Volume>("x-root", json!({"size": 1 << 30})).unwrap();
    check(
        world.create::<Vm>("x", json!({"image": "debian"})),
        &expect![[r#"conflict spec.disks[0].name: volume "x-root" exists already"#]],
    );
}

#[test]
fn an_image_must_be_ready_to_be_used() {
    let mut world = world();
    world.create::<Image>("later", json!({"source": {"url": "https://example.org/a"}})).unwrap();
    check(
        world.create::<Vm>("x", json!({"image": "later"})),
        &expect![[r#"conflict spec.image: image "later" is still being imported"#]],
    );
}

#[test]
fn an_image_comes_from_a_plain_url() {
    let mut world = World::single();
    let mut refused =
        |spec: Value, expect: Expect| check(world.create::<Image>("x", spec), &expect);
    refused(
        json!({"source": {"url": "file:///etc/passwd"}}),
        expect![[
            r#"invalid spec.source.url: the URL of an image starts with http:// or https://"#
        ]],
    );
    refused(
        json!({"source": {"url": "https://"}}),
        expect![[
            r#"invalid spec.source.url: this is not a URL that an image can be fetched from"#
        ]],
    );
    refused(
        json!({"source": {"url": "https://me:pw@host/x"}}),
        expect![[
            r#"invalid spec.source.url: a URL with a user name or password is not taken; download the image and import the file"#
        ]],
    );
    refused(
        json!({"source": {"upload": {}}, "sha256": "AB"}),
        expect![[r#"invalid spec.sha256: a SHA-256 has 64 lower-case hex digits"#]],
    );
}

#[test]
fn a_password_is_sealed_and_kept() {
    let mut world = World::single();
    world.create::<Vm>("web", json!({"cloud_init": {"password": "hunter2"}})).unwrap();
    let password = |world: &World| {
        let told = world.get::<Vm>("web").spec.cloud_init.unwrap();
        serde_json::to_string(&told.password).unwrap()
    };
    assert_eq!(password(&world), r#"{"sealed":"sealed hunter2"}"#);
    world
        .set::<Vm>("web", &json!({"cloud_init": {"password": {"set": true}, "hostname": "a"}}))
        .unwrap();
    assert_eq!(password(&world), r#"{"sealed":"sealed hunter2"}"#);
    world.set::<Vm>("web", &json!({"cloud_init": {"password": "new"}})).unwrap();
    assert_eq!(password(&world), r#"{"sealed":"sealed new"}"#);
}

#[test]
fn nothing_starts_from_an_iso() {
    let mut world = world();
    world.image_of_kind("setup", "iso", Bytes(0));
    check(
        world.create::<Vm>("cd", json!({"image": "setup"})),
        &expect![[
            r#"invalid spec.image: image "setup" is an ISO, not a disk to start from; a VM has it as a CD-ROM, beside a disk of its own"#
        ]],
    );
    check(
        world.create::<Volume>("cd", json!({"size": 1 << 30, "image": "setup"})),
        &expect![[
            r#"invalid spec.image: image "setup" is an ISO, not a disk to start from; a VM has it as a CD-ROM, beside a disk of its own"#
        ]],
    );
    check(
        world.create::<Vm>("cd", json!({"disks": [{"name": "a", "image": "setup"}]})),
        &expect![[
            r#"invalid spec.disks[0].image: image "setup" is an ISO, not a disk to start from; a VM has it as a CD-ROM, beside a disk of its own"#
        ]],
    );
}

#[test]
fn what_never_changes_is_named() {
    let mut world = world();
    check(
        world.set::<Vm>("web", &json!({"image": null})),
        &expect![[r#"invalid spec.image: spec.image cannot be changed; create another VM"#]],
    );
    check(
        world.set::<Vm>("web", &json!({"disks": []})),
        &expect![[
            r#"invalid spec.disks: spec.disks cannot be changed; use `novacron volume attach` and `detach`"#
        ]],
    );
    check(
        world.set::<Volume>("data", &json!({"format": "raw"})),
        &expect![[r#"invalid spec.format: spec.format cannot be changed; create another volume"#]],
    );
    check(
        world.set::<Image>("debian", &json!({"sha256": "0".repeat(64)})),
        &expect![[r#"invalid spec.sha256: spec.sha256 cannot be changed; import another image"#]],
    );
    check(
        world.set::<Pool>("default", &json!({"path": "/x"})),
        &expect![[r#"invalid spec.path: spec.path cannot be changed"#]],
    );
    let old = world.get::<Vm>("web");
    let mut new = old.clone();
    new.meta.name = "other".into();
    check(
        world.ask(|request| <Vm as novacron_control::Resource>::update(request, &old, new)),
        &expect![[r#"invalid meta.name: meta.name cannot be changed"#]],
    );
}

#[test]
fn a_vm_cannot_grow_beyond_its_node() {
    let mut world = World::new(&[("n1", 8, 5)]);
    for name in ["a", "b"] {
        world.create::<Vm>(name, json!({"nics": []})).unwrap();
    }
    world.run();
    check(
        world.set::<Vm>("a", &json!({"memory": 3_u64 << 30})),
        &expect![[
            r#"exhausted spec.memory: node "n1" has not enough memory left; delete VMs there, or ask for less"#
        ]],
    );
}

#[test]
fn volumes_are_attached_to_one_vm() {
    let mut world = world();
    let data = || AttachRequest { volume: Name::new("data").unwrap(), disk: None, bus: None };
    let undo = || DetachRequest { volume: Name::new("data").unwrap() };
    world.create::<Vm>("db", json!({})).unwrap();
    world.create::<Vm>("db2", json!({})).unwrap();
    world.verb("db", |request, vm| vm::attach(request, vm, &data())).unwrap();
    check(
        world.verb("db2", |request, vm| vm::attach(request, vm, &data())),
        &expect![[r#"conflict volume: volume "data" is attached to VM "db"; detach it first"#]],
    );
    check(
        world.delete::<Volume>("data", false),
        &expect![[r#"conflict volume "data" is attached to VM "db"; detach it first"#]],
    );
    check(
        world.verb("db2", |request, vm| vm::detach(request, vm, &undo())),
        &expect![[r#"conflict volume: volume "data" is not attached to VM "db2""#]],
    );
    world.verb("db", |request, vm| vm::detach(request, vm, &undo())).unwrap();
    world.verb("db2", |request, vm| vm::attach(request, vm, &data())).unwrap();
    assert_eq!(world.get::<Volume>("data").status.attachment.unwrap().vm.as_str(), "db2");
}

#[test]
fn what_is_in_use_stays_and_names_its_users() {
    let mut world = world();
    world.create::<Pool>("fast", json!({"path": "/srv/fast"})).unwrap();
    world.create::<Volume>("quick", json!({"pool": "fast", "size": 1 << 30})).unwrap();
    world.create::<Network>("lan", json!({})).unwrap();
    world.create::<Vm>("lanny", json!({"nics": [{"network": "lan"}]})).unwrap();
    check(
        world.delete::<Image>("debian", false),
        &expect![[
            r#"conflict image "debian" is used by VM "web", volume "web-root"; delete them first"#
        ]],
    );
    check(
        world.delete::<Pool>("fast", false),
        &expect![[r#"conflict pool "fast" holds volume "quick"; delete what lies in it first"#]],
    );
    check(
        world.delete::<Network>("lan", false),
        &expect![[
            r#"conflict network "lan" is used by VM "lanny"; delete them or move their NICs first"#
        ]],
    );
    check(
        world.delete::<Pool>("default", false),
        &expect![[r#"conflict pool "default" is always there"#]],
    );
    check(
        world.delete::<Network>("user", false),
        &expect![[r#"conflict network "user" is always there"#]],
    );
    check(
        world.delete::<Project>("default", false),
        &expect![[r#"conflict project "default" is always there"#]],
    );
    check(
        world.delete::<Vm>("web", false),
        &expect![[r#"conflict VM "web" is running; stop it first, or delete it with --force"#]],
    );
    check(
        world.delete::<Node>("n1", false),
        &expect![[
            r#"unsupported node "n1" goes together with its member; `novacron cluster remove n1`"#
        ]],
    );
}

#[test]
fn a_project_goes_when_it_is_empty() {
    let mut world = World::single();
    world.create::<Project>("team", json!({})).unwrap();
    world.home = "team";
    world.create::<Vm>("web", json!({"nics": []})).unwrap();
    world.home = "default";
    check(
        world.delete::<Project>("team", false),
        &expect![[r#"conflict project "team" still has VM "web"; delete what is in it first"#]],
    );
    world.create::<Project>("empty", json!({})).unwrap();
    let records = |world: &World, uid: uuid::Uuid| {
        world
            .at()
            .scan("", "")
            .filter(|record| record.key.as_str().contains(&uid.to_string()))
            .count()
    };
    let uid = world.get::<Project>("empty").meta.uid;
    assert_eq!(records(&world, uid), 1);
    world.delete::<Project>("empty", false).unwrap();
    assert_eq!(records(&world, uid), 0);
}

#[test]
fn pools_have_absolute_directories_of_their_own() {
    let mut world = World::single();
    for path in ["srv", "/", "/a/../b", "/a\n"] {
        assert_eq!(
            says(world.create::<Pool>("x", json!({"path": path}))),
            r#"invalid spec.path: the path of a pool is an absolute directory; write it without "." and "..", such as /srv/novacron"#
        );
    }
    world.create::<Pool>("a", json!({"path": "/srv/a"})).unwrap();
    check(
        world.create::<Pool>("b", json!({"path": "/srv/a/"})),
        &expect![[r#"conflict spec.path: the directory belongs to pool "a""#]],
    );
}

#[test]
fn nodes_and_tasks_are_not_created_by_hand() {
    let mut world = World::single();
    check(
        world.create::<Node>("n2", json!({})),
        &expect![[
            r#"unsupported nodes are not created by hand; start `novacron server` on a machine: it joins by itself"#
        ]],
    );
    let target = json!({"kind": "vm", "name": "a", "uid": uuid::Uuid::nil()});
    check(
        world.create::<Task>("t", json!({"action": "stop", "target": target})),
        &expect![[
            r#"unsupported tasks are not created by hand; whatever takes time makes its task by itself"#
        ]],
    );
    check(
        world.set::<Node>("n1", &json!({"cpu_overcommit": 0.0})),
        &expect![[r#"invalid spec.cpu_overcommit: spec.cpu_overcommit lies between 0.1 and 64"#]],
    );
    check(
        world.create::<Token>("t", json!({})),
        &expect![[r#"internal a token is issued with the hash of its secret"#]],
    );
}

#[test]
fn volumes_grow_and_never_shrink() {
    let mut world = world();
    let now = world.get::<Volume>("data").spec.size.0;
    check(
        world.set::<Volume>("data", &json!({"size": now / 2})),
        &expect![[
            r#"invalid spec.size: volume "data" has 1 GiB and cannot shrink to 512 MiB; create a smaller volume and copy what is to be kept"#
        ]],
    );
    check(
        world.set::<Volume>("data", &json!({"size": now + 1})),
        &expect![[r#"invalid spec.size: the size of a volume is a multiple of 512 bytes"#]],
    );
    check(
        world.set::<Volume>("data", &json!({"size": u64::MAX})),
        &expect![[r#"invalid spec.size: a volume has between 1 MiB and 64 TiB"#]],
    );
    let generation = world.get::<Volume>("data").meta.generation;
    world.set::<Volume>("data", &json!({"size": 2 * now})).unwrap();
    let data = world.get::<Volume>("data");
    assert_eq!((data.spec.size.0, data.meta.generation), (2 * now, generation + 1));
    // That of a VM too, whatever it does.
    let root = world.get::<Volume>("web-root").spec.size.0;
    world.set::<Volume>("web-root", &json!({"size": 2 * root})).unwrap();
}
