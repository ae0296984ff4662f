//! Networks on bridges: what is refused, and where VMs on them go.

use expect_test::{Expect, expect};
use novacron_model::network::NetworkNode;
use novacron_model::{Error, Name, Network, Vm};
use serde_json::json;

use super::world::World;

fn refused<T>(result: Result<T, Error>, expect: &Expect) {
    let error = result.err().expect("refused");
    let (field, hint) = (error.field.unwrap_or_default(), error.hint.unwrap_or_default());
    expect.assert_eq(&format!("{field}: {}; {hint}", error.message));
}

/// A node says whether it has a network.
fn say(world: &mut World, network: &str, node: &str, ready: bool) {
    let reason = (!ready).then(|| format!("bridge \"br0\" does not exist on node \"{node}\""));
    let said = NetworkNode { node: Name::new(node).unwrap(), ready, reason };
    let family = world.key::<Network>(network);
    world.report(&family, &format!("nodes/{node}"), &said);
}

#[test]
fn kind_and_bridge_go_together_and_stay() {
    let mut world = World::single();
    refused(
        world.create::<Network>("lan", json!({"kind": "bridge"})),
        &expect![
            "spec.bridge: a network of kind bridge needs the name of its bridge; `ip -brief link show type bridge` lists those of a node"
        ],
    );
    refused(
        world.create::<Network>("lan", json!({"bridge": "br0"})),
        &expect!["spec.bridge: a network of kind user has no bridge; set spec.kind to bridge"],
    );
    world.create::<Network>("lan", json!({"kind": "bridge", "bridge": "br0"})).unwrap();
    refused(
        world.set::<Network>("lan", &json!({"bridge": "br1"})),
        &expect![
            "spec.bridge: spec.bridge cannot be changed; create another network, and move the NICs to it"
        ],
    );
}

#[test]
fn a_bridge_forwards_no_ports() {
    let mut world = World::single();
    world.create::<Network>("lan", json!({"kind": "bridge", "bridge": "br0"})).unwrap();
    let nics = json!({"nics": [{}, {"network": "lan", "ports": [{"host": 8080, "guest": 80}]}]});
    refused(
        world.create::<Vm>("web", nics),
        &expect![[
            r#"spec.nics[1].ports: network "lan" is a bridge: it forwards no ports; leave them out; the guest is reached at its own address"#
        ]],
    );
    world.create::<Vm>("web", json!({"nics": [{}, {"network": "lan"}]})).unwrap();
    refused(
        world.delete::<Network>("lan", false),
        &expect![[r#": network "lan" is used by VM "web"; delete them or move their NICs first"#]],
    );
}

#[test]
fn a_vm_goes_where_its_bridge_is_and_anywhere_if_it_is_nowhere() {
    let mut world = World::new(&[("n1", 8, 64), ("n2", 8, 16)]);
    world.create::<Network>("lan", json!({"kind": "bridge", "bridge": "br0"})).unwrap();
    let spec = || json!({"nics": [{"network": "lan"}]});
    let node = |world: &World, vm: &str| {
        let placement = world.get::<Vm>(vm).status.placement.unwrap();
        placement.node.map(|node| node.to_string())
    };
    say(&mut world, "lan", "n1", false);
    say(&mut world, "lan", "n2", true);
    world.create::<Vm>("there", spec()).unwrap();
    world.run();
    assert_eq!(node(&world, "there").as_deref(), Some("n2"));
    say(&mut world, "lan", "n2", false);
    world.create::<Vm>("nowhere", spec()).unwrap();
    world.run();
    assert_eq!(node(&world, "nowhere").as_deref(), Some("n1"), "the roomiest, which will say why");
}
