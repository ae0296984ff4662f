//! Members on real sockets with real certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use novacron_pki::{ANY_MEMBER, Authority, Identity, MemberKey, Purpose, member_name};
use novacron_raft::wire::{
    Body, CALL, Caller, Handler, Links, answer_call, connect_pinned, full, refuse, serve,
};
use novacron_raft::{CallError, Options, Peer, Peers, RaftStore, Wanted};
use novacron_store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cluster::quick;
use crate::ledger::raise;

/// Answers members only.
#[derive(Default)]
struct Door(OnceLock<Arc<RaftStore>>);

impl Handler for Door {
    fn handle(
        self: Arc<Self>,
        caller: Caller,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Response<Body>> {
        async move {
            match (caller, self.0.get()) {
                (Caller::Member(_), Some(store)) => answer_call(store, request).await,
                _ => refuse(StatusCode::FORBIDDEN, "members only"),
            }
        }
        .boxed()
    }
}

struct Member {
    store: Arc<RaftStore>,
    address: String,
    dir: TempDir,
    end: CancellationToken,
}

fn identity(ca: &Authority, number: u64, dir: &TempDir) -> Identity {
    let key = MemberKey::load_or_make(&dir.path().join("member.key")).expect("makes a key");
    let names = vec![member_name(number), ANY_MEMBER.to_owned()];
    let signed = ca.issue(&key.public(), names, Purpose::Member, Duration::from_hours(1));
    Identity::new(ca.certificate().clone(), &key, signed.expect("signs")).expect("fits")
}

async fn member(ca: &Authority, number: u64) -> Member {
    let dir = tempfile::tempdir().expect("makes a directory");
    let identity = identity(ca, number, &dir);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound").to_string();
    let (door, end) = (Arc::<Door>::default(), CancellationToken::new());
    let server = identity.server().expect("serves");
    tokio::spawn(serve(listener, server, door.clone(), end.clone()));
    let links = Arc::new(Links::new(identity.client().expect("calls")));
    let options = Options { node: number, found: number == 1, ..quick() };
    let store = RaftStore::open_member(&dir.path().join("store"), options, links).await;
    let store = store.expect("opens");
    assert!(door.0.set(store.clone()).is_ok());
    Member { store, address, dir, end }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_replicate_over_tls() {
    let made = tempfile::tempdir().expect("makes a directory");
    let ca = Authority::load_or_make(made.path()).expect("makes a CA");
    let members = [member(&ca, 1).await, member(&ca, 2).await, member(&ca, 3).await];
    let addresses = (1_u64..).zip(members.iter().map(|member| member.address.clone()));
    let wanted = Wanted {
        members: addresses.collect::<BTreeMap<_, _>>(),
        voters: BTreeSet::from([1, 2, 3]),
    };
    let voters = async {
        loop {
            members[0].store.step_towards(&wanted).await.expect("steps");
            let seen = members[0].store.members().await;
            if seen.len() == 3 && seen.iter().all(|member| member.voter && member.reachable) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), voters).await.expect("all vote");
    let follower = &members[2].store;
    let revision = follower.commit(raise(0, 1)).await.expect("commits through the leader");
    assert!(follower.snapshot().revision() >= revision);
    let seen_there = follower.members().await;
    assert_eq!(seen_there.iter().filter(|member| member.leader).count(), 1);
    for member in members {
        member.end.cancel();
        member.store.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_other_clusters_reach_no_member() {
    let made = tempfile::tempdir().expect("makes a directory");
    let ca = Authority::load_or_make(&made.path().join("one")).expect("makes a CA");
    let elsewhere = Authority::load_or_make(&made.path().join("two")).expect("makes a CA");
    let member = member(&ca, 1).await;
    let peer = Peer { number: 1, address: member.address.clone() };
    let foreign = Links::new(identity(&elsewhere, 2, &made).client().expect("calls"));
    let refused = foreign.call(&peer, Vec::new(), Duration::from_secs(5)).await;
    assert!(matches!(refused, Err(CallError::NotSent(_))), "{refused:?}");
    let mut stranger = connect_pinned(&member.address, &ca.fingerprint()).await.expect("meets");
    let request = Request::post(format!("https://{ANY_MEMBER}{CALL}")).body(full("x"));
    let answer = stranger.send_request(request.expect("is one")).await.expect("answers");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(connect_pinned(&member.address, &elsewhere.fingerprint()).await.is_err());
    member.end.cancel();
    member.store.shutdown().await;
    drop(member.dir);
}
