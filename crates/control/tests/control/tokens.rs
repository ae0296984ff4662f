//! Tokens, sign-in and sessions; events of users' deeds; the recount of counters.

use expect_test::expect;
use novacron_control::{audit, token};
use novacron_model::request::{Draft, DraftMeta};
use novacron_model::token::{TokenPurpose, TokenSpec};
use novacron_model::{Seconds, Token, Vm};
use novacron_store::{CounterAdd, Txn};
use serde_json::json;

use super::world::{World, says};

fn draft(name: &str, purpose: TokenPurpose, expires: Option<novacron_model::Time>) -> Draft<Token> {
    let meta = DraftMeta { name: name.into(), ..DraftMeta::default() };
    Draft { meta, spec: TokenSpec { purpose, description: String::new(), expires } }
}

#[test]
fn a_sign_in_code_is_traded_once() {
    let mut world = World::single();
    let soon = world.now.plus(Seconds(300));
    let code = draft("link", TokenPurpose::SignIn, Some(soon));
    world.ask(|request| token::issue(request, code, "c0de")).unwrap();
    let expires = world.now.plus(Seconds(3600));
    let one = world.admit(|request| token::trade(request, "c0de", "5e55", expires)).unwrap();
    let two = world.admit(|request| token::trade(request, "c0de", "5e56", expires)).unwrap();
    world.commit(&one.txn).unwrap();
    assert!(world.commit(&two.txn).is_err());
    let again = world.ask(|request| token::trade(request, "c0de", "5e57", expires));
    expect![[r#"unauthenticated the sign-in link is used up, expired or wrong; run `novacron web` for a new one"#]]
        .assert_eq(&says(again));
    let session = token::find(&world.at(), world.now, "5e55").unwrap();
    assert_eq!(session.spec.purpose, TokenPurpose::Session);
    assert!(token::find(&world.at(), world.now, "c0de").is_none());
}

#[test]
fn an_api_token_is_no_sign_in_code() {
    let mut world = World::single();
    world.ask(|request| token::issue(request, draft("ci", TokenPurpose::Api, None), "aa")).unwrap();
    let expires = world.now.plus(Seconds(3600));
    assert!(world.ask(|request| token::trade(request, "aa", "bb", expires)).is_err());
    assert!(token::find(&world.at(), world.now, "aa").is_some());
}

#[test]
fn an_expired_token_opens_nothing_and_is_swept() {
    let mut world = World::single();
    let soon = world.now.plus(Seconds(300));
    world
        .ask(|request| token::issue(request, draft("t", TokenPurpose::Api, Some(soon)), "aa"))
        .unwrap();
    world.settle();
    assert!(token::find(&world.at(), world.now, "aa").is_some());
    world.pass(300);
    assert!(token::find(&world.at(), world.now, "aa").is_none());
    world.settle();
    assert!(world.find::<Token>("t").is_none());
    let past = Some(world.now);
    let refused =
        world.ask(|request| token::issue(request, draft("t", TokenPurpose::Api, past), "aa"));
    expect![[r#"invalid spec.expires: the time of expiry has passed already"#]]
        .assert_eq(&says(refused));
}

#[test]
fn every_deed_is_an_event_with_its_actor() {
    let mut world = World::single();
    world.create::<Vm>("web", json!({"nics": []})).unwrap();
    world.run();
    world.set::<Vm>("web", &json!({"cpus": 1})).unwrap();
    world.verb("web", novacron_control::vm::start).unwrap();
    world.run();
    world.delete::<Vm>("web", true).unwrap();
    world.run();
    expect![[r#"
        node n1 node.joined: node "n1" joined
        ana vm.created: VM "web" was created
        ana vm.updated: VM "web" was changed
        ana vm.start: start of VM "web" was asked for
        ana vm.deleting: deletion of VM "web" was asked for
        control vm.deleted: VM "web" is gone
    "#]]
    .assert_eq(&world.events());
}

#[test]
fn the_audit_reports_counters_that_differ() {
    let mut world = World::single();
    world.create::<Vm>("web", json!({"nics": []})).unwrap();
    world.run();
    let plan = audit(&world.at(), world.now);
    assert!(plan.txn.is_none());
    assert!(plan.wake.is_some());
    let leak = CounterAdd { name: "vms/n1".into(), delta: 1, min: None, max: None };
    let mut txn = Txn::new();
    txn.preconditions.push(novacron_store::Precondition::Absent("once".into()));
    txn = txn.count(leak);
    txn.puts.push(novacron_store::Put {
        key: "once".into(),
        value: serde_json::value::to_raw_value(&1).unwrap(),
        index: vec![],
    });
    world.commit(&txn).unwrap();
    let found = audit(&world.at(), world.now).txn.unwrap();
    assert!(found.appends[0].value.get().contains("counter vms/n1 says 2, but VMs hold 1"));
}
