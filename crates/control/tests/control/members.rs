//! Nodes join, vote, and leave.

use expect_test::expect;
use novacron_control::member::{self, Joining};
use novacron_control::{Admitted, join_token};
use novacron_model::join_token::JoinTokenSpec;
use novacron_model::member::MemberRole;
use novacron_model::request::{Draft, DraftMeta};
use novacron_model::{
    Bytes, Error, Image, JoinToken, Member, Name, Node, Result, Seconds, Time, Vm, Volume,
};
use novacron_store::CommitError;
use serde_json::json;

use super::world::{World, says};

/// Node `n1` with its member.
fn alone() -> World {
    let mut world = World::single();
    register(&mut world, "n1", 1, "10.0.0.1:7601").unwrap();
    world
}

/// Members `n1`, `n2`, `n3` with their nodes.
fn three() -> World {
    let mut world = alone();
    for (name, secret) in [("n2", "aa"), ("n3", "bb")] {
        invite(&mut world, secret, JoinTokenSpec::default()).unwrap();
        join(&mut world, secret, name).unwrap();
        world.add_node(name, 8, Bytes::gib(64));
    }
    world
}

fn register(world: &mut World, name: &str, number: u64, address: &str) -> Result<()> {
    let (uid, name) = (world.fresh_uid(), Name::new(name)?);
    let txn = member::register(&world.at(), world.now, uid, &name, number, address)?;
    world.commit(&txn).map_err(|error| novacron_control::refusal(&error))
}

fn invite(world: &mut World, secret: &str, spec: JoinTokenSpec) -> Result<()> {
    let meta = DraftMeta { name: format!("join-{secret}"), ..DraftMeta::default() };
    world.ask(|request| join_token::issue(request, Draft { meta, spec }, secret)).map(drop)
}

fn joining(name: &str) -> Joining {
    let digit = name.bytes().last().map(char::from).unwrap();
    let address = format!("10.0.0.{digit}:7601");
    Joining { name: Name::new(name).unwrap(), address, key: digit.to_string().repeat(64) }
}

fn join(world: &mut World, secret: &str, name: &str) -> Result<(u64, MemberRole)> {
    join_as(world, secret, &joining(name))
}

fn join_as(world: &mut World, secret: &str, joining: &Joining) -> Result<(u64, MemberRole)> {
    let mut told = None;
    world.ask(|request| {
        let joined = member::join(request, secret, joining)?;
        told = Some((joined.number, joined.role));
        Ok(Admitted { txn: joined.txn, task: None })
    })?;
    told.ok_or_else(|| Error::internal("nothing was told"))
}

fn remove(world: &mut World, name: &str, force: bool) -> Result<()> {
    world.delete::<Member>(name, force).map(drop)
}

fn roster(world: &World) -> String {
    let line = |member: &novacron_model::Object<Member>| {
        let spec = &member.spec;
        format!("{} {} {} {:?}\n", spec.number, member.name(), spec.address, spec.role)
    };
    world.list::<Member>().iter().map(line).collect()
}

#[test]
fn a_cluster_grows_from_one_node() {
    let world = three();
    expect![[r#"
        1 n1 10.0.0.1:7601 Auto
        2 n2 10.0.0.2:7601 Auto
        3 n3 10.0.0.3:7601 Auto
    "#]]
    .assert_eq(&roster(&world));
    expect![[r#"
        node n1 node.joined: node "n1" joined
        node n1 member.joined: node "n1" formed the cluster
        ana join-token.created: join token "join-aa" was created
        ana member.joined: node "n2" joined the cluster from 10.0.0.2:7601
        node n2 node.joined: node "n2" joined
        ana join-token.created: join token "join-bb" was created
        ana member.joined: node "n3" joined the cluster from 10.0.0.3:7601
        node n3 node.joined: node "n3" joined
    "#]]
    .assert_eq(&world.events());
}

#[test]
fn a_node_tells_its_address_when_it_starts() {
    let mut world = World::single();
    register(&mut world, "n1", 1, "").unwrap();
    assert_eq!(world.get::<Member>("n1").spec.address, "");
    register(&mut world, "n1", 1, "n1.example.org:7601").unwrap();
    register(&mut world, "n1", 1, "").unwrap();
    assert_eq!(world.get::<Member>("n1").spec.address, "n1.example.org:7601");
    let wrong = register(&mut world, "n1", 1, "0.0.0.0:7601");
    expect![[r#"invalid address: "0.0.0.0:7601" is not an address of a node: it stands for every address of a machine; write HOST:PORT, such as 10.0.0.1:7601 or [2001:db8::1]:7601"#]].assert_eq(&says(wrong));
    let renamed = register(&mut world, "other", 1, "");
    expect![[
        r#"conflict this node is member "n1"; a member keeps its name: start it with --name n1"#
    ]]
    .assert_eq(&says(renamed));
    let stranger = register(&mut world, "n9", 9, "");
    expect![[r#"conflict node "n9" does not belong to the cluster; it was removed; let it join anew with an empty data directory"#]].assert_eq(&says(stranger));
}

#[test]
fn a_join_token_is_good_for_one_node() {
    let mut world = alone();
    let spec = JoinTokenSpec { role: MemberRole::Witness, ..JoinTokenSpec::default() };
    invite(&mut world, "aa", spec).unwrap();
    let first = join(&mut world, "aa", "n2").unwrap();
    assert_eq!(first, (2, MemberRole::Witness));
    let events = world.events();
    assert_eq!(join(&mut world, "aa", "n2").unwrap(), first, "the answer was lost");
    assert_eq!(world.events(), events, "nothing is done again");
    expect![[r#"unauthenticated the join token is used up: "n2" joined; `novacron cluster token create` on a member makes a new one"#]]
        .assert_eq(&says(join(&mut world, "aa", "n3")));
    let thief = Joining { key: "f".repeat(64), ..joining("n2") };
    assert!(join_as(&mut world, "aa", &thief).is_err(), "the name alone does not do");
    let used = world.get::<JoinToken>("join-aa").status.used.unwrap();
    assert_eq!((used.member.as_str(), used.key), ("n2", "2".repeat(64)));
    remove(&mut world, "n2", false).unwrap();
    expect![[r#"unauthenticated member "n2" joined with this token and was removed; `novacron cluster token create` on a member makes a new one"#]]
        .assert_eq(&says(join(&mut world, "aa", "n2")));
}

#[test]
fn of_two_that_join_at_once_each_gets_its_own_number() {
    let mut world = alone();
    for secret in ["aa", "bb"] {
        invite(&mut world, secret, JoinTokenSpec::default()).unwrap();
    }
    let admit = |world: &mut World, secret: &str, name: &str| {
        let joining = joining(name);
        world
            .admit(|request| {
                let txn = member::join(request, secret, &joining)?.txn;
                Ok(Admitted { txn, task: None })
            })
            .unwrap()
    };
    let one = admit(&mut world, "aa", "n2");
    let two = admit(&mut world, "bb", "n3");
    let same = admit(&mut world, "aa", "n4");
    world.commit(&one.txn).unwrap();
    for late in [two, same] {
        assert!(matches!(world.commit(&late.txn), Err(CommitError::Precondition { .. })));
    }
    assert_eq!(join(&mut world, "bb", "n3").unwrap().0, 3);
}

#[test]
fn a_number_is_never_given_again() {
    let mut world = three();
    remove(&mut world, "n3", false).unwrap();
    invite(&mut world, "cc", JoinTokenSpec::default()).unwrap();
    assert_eq!(join(&mut world, "cc", "n3").unwrap().0, 4);
}

#[test]
fn who_cannot_join_is_told_why() {
    let mut world = three();
    invite(&mut world, "cc", JoinTokenSpec::default()).unwrap();
    let mut refused = |secret: &str, change: &dyn Fn(&mut Joining)| {
        let mut joining = joining("n4");
        change(&mut joining);
        says(join_as(&mut world, secret, &joining))
    };
    let told = [
        refused("dd", &|_| ()),
        refused("cc", &|it| it.name = Name::new("n2").unwrap()),
        refused("cc", &|it| it.address = "10.0.0.2:7601".into()),
        refused("cc", &|it| it.address = "10.0.0.4".into()),
        refused("cc", &|it| it.key = "x".into()),
    ];
    expect![[r#"
        unauthenticated the join token is not known: it has expired, was deleted or is of another cluster; `novacron cluster token create` on a member makes a new one
        conflict name: a node named "n2" is already a member; pass --name to give this one another name
        conflict address: "10.0.0.2:7601" is the address of member "n2"
        invalid address: "10.0.0.4" is not an address of a node: the port is missing; write HOST:PORT, such as 10.0.0.1:7601 or [2001:db8::1]:7601
        invalid key: the public key's SHA-256 is 64 hex digits"#]]
    .assert_eq(&("\n".to_owned() + &told.join("\n"))[1..]);
    assert_eq!(join(&mut world, "cc", "n4").unwrap().0, 4, "a refusal uses nothing up");
}

#[test]
fn a_join_token_lives_as_long_as_it_was_told_to() {
    let mut world = alone();
    invite(&mut world, "aa", JoinTokenSpec::default()).unwrap();
    let hour = world.now.plus(Seconds(3600));
    assert_eq!(world.get::<JoinToken>("join-aa").spec.expires, Some(hour));
    join(&mut world, "aa", "n2").unwrap();
    world.pass(3599);
    world.settle();
    assert!(join(&mut world, "aa", "n2").is_ok(), "a used one may be asked again");
    world.pass(1);
    assert!(join(&mut world, "aa", "n2").is_err());
    world.settle();
    assert!(world.find::<JoinToken>("join-aa").is_none());
    let now = world.now;
    let lasting = |seconds: i64| JoinTokenSpec {
        expires: Some(Time(now.0 + seconds * 1000)),
        ..JoinTokenSpec::default()
    };
    for seconds in [-60, 0, 45, 7 * 86_400 + 60] {
        expect![[
            r#"invalid spec.expires: a join token is valid for between a minute and seven days"#
        ]]
        .assert_eq(&says(invite(&mut world, "bb", lasting(seconds))));
    }
    invite(&mut world, "bb", lasting(60)).unwrap();
    invite(&mut world, "cc", lasting(7 * 86_400)).unwrap();
}

#[test]
fn roles_change_as_long_as_somebody_may_vote() {
    let mut world = three();
    let deed = |world: &mut World, name: &str, promote: bool| {
        let member = world.get::<Member>(name);
        let verb = if promote { member::promote } else { member::demote };
        world.ask(|request| verb(request, &member)).map(drop)
    };
    deed(&mut world, "n1", true).unwrap();
    for worker in ["n2", "n3"] {
        deed(&mut world, worker, false).unwrap();
    }
    let last = deed(&mut world, "n1", false);
    expect![[r#"conflict spec.role: no other member than "n1" may vote; let a node join, or promote a worker with `novacron cluster promote`"#]].assert_eq(&says(last));
    expect![[r#"conflict name: no other member than "n1" may vote; let a node join, or promote a worker with `novacron cluster promote`"#]]
        .assert_eq(&says(remove(&mut world, "n1", true)));
    deed(&mut world, "n2", true).unwrap();
    deed(&mut world, "n1", false).unwrap();

    for (field, value) in [("number", json!(9)), ("address", json!("n9:7601"))] {
        let refused = world.set::<Member>("n3", &json!({field: value}));
        assert_eq!(refused.unwrap_err().field, Some(format!("spec.{field}")));
    }
    world.set::<Member>("n3", &json!({"role": "witness"})).unwrap();
    let by_hand = world.create::<Member>("n9", json!({"number": 9}));
    expect![[r#"unsupported members are not created by hand; `novacron cluster token create` prints what `novacron server --join` takes"#]].assert_eq(&says(by_hand));
}

#[test]
fn two_that_go_at_once_do_not_leave_nobody() {
    let mut world = three();
    remove(&mut world, "n3", false).unwrap();
    let (one, two) = (world.get::<Member>("n1"), world.get::<Member>("n2"));
    let first = world.admit(|request| member::demote(request, &one)).unwrap();
    let second = world.admit(|request| member::demote(request, &two)).unwrap();
    world.commit(&first.txn).unwrap();
    assert!(world.commit(&second.txn).is_err());
}

#[test]
fn a_witness_is_given_nothing_to_run() {
    let mut world = three();
    for witness in ["n1", "n3"] {
        world.set::<Member>(witness, &json!({"role": "witness"})).unwrap();
    }
    world.image("debian", Some(1));
    for name in ["a", "b", "c"] {
        world.create::<Vm>(name, json!({"nics": [], "image": "debian"})).unwrap();
        world.run();
    }
    let nodes = world.list::<Node>();
    let held = |name: &str| {
        let node = nodes.iter().find(|node| node.name() == name).unwrap();
        novacron_control::capacity::allocated(&world.at(), node.name()).vms
    };
    assert_eq!(["n1", "n2", "n3"].map(held), [0, 3, 0]);
    expect![[r#"conflict node "n2" runs 3 VMs; move or delete them first"#]]
        .assert_eq(&says(world.set::<Member>("n2", &json!({"role": "witness"}))));
}

#[test]
fn a_node_that_holds_something_stays() {
    let mut world = three();
    world
        .create::<Vm>("web", json!({"nics": [], "disks": [{"name": "root", "size": 1 << 20}]}))
        .unwrap();
    world.run();
    let home = world.get::<Vm>("web").status.placement.unwrap().node.unwrap();
    let home = home.as_str();
    expect![[r#"conflict node "n1" runs 1 VM; move or delete them first"#]]
        .assert_eq(&says(remove(&mut world, home, false)));
    world.delete::<Vm>("web", true).unwrap();
    world.run();
    world.image("debian", Some(1));
    let home = world.get::<Image>("debian").status.location.unwrap().node;
    let refused = says(remove(&mut world, home.as_str(), false));
    assert!(refused.contains("holds image \"debian\"; move or delete it first"), "{refused}");
    let direct = world.delete::<Node>("n2", true);
    expect![[
        r#"unsupported node "n2" goes together with its member; `novacron cluster remove n2`"#
    ]]
    .assert_eq(&says(direct));
}

#[test]
fn what_lay_on_a_lost_node_can_be_deleted_without_it() {
    let mut world = three();
    world
        .create::<Vm>("web", json!({"nics": [], "disks": [{"name": "root", "size": 1 << 20}]}))
        .unwrap();
    world.create::<Volume>("data", json!({"size": 1 << 20})).unwrap();
    world.run();
    let home = world.get::<Vm>("web").status.placement.unwrap().node.unwrap();
    let beside = world.get::<Volume>("data").status.location.unwrap().node;
    remove(&mut world, home.as_str(), true).unwrap();
    if beside != home {
        remove(&mut world, beside.as_str(), true).unwrap();
    }
    assert!(world.find::<Member>(home.as_str()).is_none());
    assert!(world.find::<Node>(home.as_str()).is_none());
    invite(&mut world, "cc", JoinTokenSpec::default()).unwrap();
    let back = says(join(&mut world, "cc", home.as_str()));
    assert!(back.contains("held VM \"web\""), "{back}");
    world.delete::<Vm>("web", true).unwrap();
    world.delete::<Volume>("data", true).unwrap();
    world.settle();
    assert_eq!((world.list::<Vm>().len(), world.list::<Volume>().len()), (0, 0));
    assert!(world.counters().iter().all(|(name, _)| name.starts_with("tasks/")));
    join(&mut world, "cc", home.as_str()).unwrap();
}
