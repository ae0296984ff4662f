//! `novacron server`: opens what lies on disk, starts what runs, and ends it in reverse order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use novacron_agent::AgentHandle;
use novacron_api::{ApiConfig, Readiness, ServerHandle, TlsFiles};
use novacron_cli::Globals;
use novacron_model::{Bytes, Invitation, Name};
use novacron_raft::RaftStore;
use novacron_store::{CommitError, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cluster::{self, Member, Membership};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::gateway::LocalGateway;
use crate::log_ring::LogRing;
use crate::{clock, identity, logging, nodes, notify, state};

/// Pause before a leader is looked for again.
const LEADER_PAUSE: Duration = Duration::from_millis(200);

#[derive(ClapArgs)]
pub struct Args {
    /// Settings file (TOML); `novacron config show --defaults` documents every key
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of this node [default: the host's]
    #[arg(long)]
    name: Option<Name>,
    /// Address of API and console; anything but loopback is served with TLS
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address for other nodes of the cluster
    #[arg(long, value_name = "ADDRESS:PORT")]
    cluster_listen: Option<SocketAddr>,
    /// Where other nodes reach this one [default: the address of the default route]
    #[arg(long, value_name = "HOST[:PORT]")]
    advertise: Option<String>,
    /// Join a cluster with what `novacron cluster token create` printed on one of its nodes
    #[arg(long, value_name = "TOKEN", conflicts_with = "sim")]
    join: Option<Invitation>,
    /// Simulate this many hosts instead of using this one
    #[arg(long, value_name = "N")]
    sim: Option<usize>,
}

pub async fn run(args: &Args, globals: &Globals) -> Result<()> {
    let config = settings(args)?;
    let log = logging::start(&config.log)?;
    raise_file_limit();
    let end = ending()?;
    let data = DataDir::open(&std::path::absolute(config.data_dir(globals))?)?;
    state::restore::finish(data.path())?;
    let membership = membership(args, &config, &data).await?;
    let member = || Member::new(&config, &data, membership);
    let (store, member) = state::open_store(&config, &data, member).await?;
    member.serve_from(store.clone());
    let served = serve(args, &config, &data, &member, store.clone(), log, &end).await;
    member.close();
    store.shutdown().await;
    served
}

/// Finds out which member of its cluster this node is; joins one if asked to.
async fn membership(args: &Args, config: &Config, data: &DataDir) -> Result<Membership> {
    cluster::finish(data)?;
    if let Some(invitation) = &args.join {
        cluster::join(config, data, invitation).await?;
    }
    Membership::of(config, data.path())
}

/// Lets others reach this node, if there are any, and waits until it has what they have.
async fn enter(data: &DataDir, member: &Arc<Member>, store: &RaftStore, asked: bool) -> Result<()> {
    if asked || member.has_others()? {
        member.listen().await?;
    }
    let mut waited = false;
    while !store.catch_up().await {
        if !waited {
            warn!("waiting for a leader: a majority of the voters must run and reach each other");
        }
        waited = true;
        tokio::time::sleep(LEADER_PAUSE).await;
    }
    bootstrap(store).await?;
    member.start_over(data.path()).await?;
    // A node that has just joined is a member before it hears of itself.
    Ok(member.register().await?)
}

/// As many open files as the system lets this process have: shells and systemd start with 1024,
/// which a few hundred guests and browsers use up.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, "the limit of open files stays as it is");
    }
}

/// The file under the command line.
fn settings(args: &Args) -> Result<Config> {
    let mut config = Config::read(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    if let Some(listen) = args.cluster_listen {
        config.cluster.listen = listen;
    }
    config.cluster.advertise = args.advertise.clone().or(config.cluster.advertise);
    config.name = args.name.clone().or(config.name);
    if args.sim == Some(0) {
        bail!("--sim needs at least one host");
    }
    Ok(config)
}

async fn serve(
    args: &Args,
    config: &Config,
    data: &DataDir,
    member: &Arc<Member>,
    store: Arc<RaftStore>,
    log: LogRing,
    end: &CancellationToken,
) -> Result<()> {
    let copies = state::copies(config, data.path())?;
    let entered = enter(data, member, &store, args.cluster_listen.is_some());
    match end.run_until_cancelled(entered).await {
        None => return Ok(()),
        Some(entered) => entered?,
    }
    // Not before: the members of a restored state are not this node's.
    let leading = tokio::spawn(cluster::lead(store.clone(), end.clone()));
    let own = member.name.to_string();
    tokio::spawn(cluster::watch_own(store.clone(), own, end.clone()));
    let shared: Arc<dyn Store> = store.clone();
    let agents = match args.sim {
        Some(count) => nodes::simulated(count, config, data, &shared).await?,
        None if member.is_witness()? => Vec::new(),
        None => vec![nodes::real(config, data, &member.name, &shared).await?],
    };
    let source = source(data, &shared, &agents);
    let copies = tokio::spawn(source.keep(copies, end.clone()));
    let gateway = LocalGateway::new(&agents, shared, config.images.catalogue(), log);
    let served = answer(args, config, data, &store, member, (&agents, gateway), end).await;
    for agent in &agents {
        agent.shutdown().await;
    }
    end.cancel();
    copies.await?;
    leading.await??;
    served
}

/// What copies of the state are made from.
fn source(data: &DataDir, store: &Arc<dyn Store>, agents: &[AgentHandle]) -> state::Source {
    let (store, data) = (store.clone(), data.path().to_owned());
    state::Source { store, data, node: answering(agents) }
}

/// The node that answers here.
fn answering(agents: &[AgentHandle]) -> String {
    agents.first().map(|agent| agent.node().to_owned()).unwrap_or_default()
}

/// Serves the API until the process is asked to end.
async fn answer(
    args: &Args,
    config: &Config,
    data: &DataDir,
    store: &Arc<RaftStore>,
    member: &Arc<Member>,
    nodes: (&[AgentHandle], Arc<LocalGateway>),
    end: &CancellationToken,
) -> Result<()> {
    let api = serve_api(args, config, data, store, member, nodes).await?;
    announce(&api);
    notify::ready();
    end.cancelled().await;
    notify::stopping();
    info!("stopping; guests go on");
    api.shutdown().await;
    Ok(())
}

/// Makes what exists from the start: the default project, pool and network.
async fn bootstrap(store: &dyn Store) -> Result<()> {
    loop {
        let mut fresh = identity::fresh_uid;
        let txn = novacron_control::bootstrap(&store.snapshot(), clock::now(), &mut fresh)?;
        if txn.is_empty() {
            return Ok(());
        }
        match store.commit(txn).await {
            Ok(_) => return Ok(()),
            Err(CommitError::Precondition { .. }) => {}
            Err(error) => return Err(error).context("the first objects cannot be stored"),
        }
    }
}

async fn serve_api(
    args: &Args,
    config: &Config,
    data: &DataDir,
    store: &Arc<RaftStore>,
    member: &Arc<Member>,
    (agents, gateway): (&[AgentHandle], Arc<LocalGateway>),
) -> Result<ServerHandle> {
    let health = store.clone();
    let readiness = Readiness::default();
    let shared: Arc<dyn Store> = store.clone();
    let source = source(data, &shared, agents);
    let here = agents.iter().map(|agent| agent.node().to_owned()).collect();
    let tls = config.tls.cert.clone().zip(config.tls.key.clone());
    let api = ApiConfig {
        listen: vec![config.api.listen],
        hosts: config.api.hosts.clone(),
        group: config.api.group.clone(),
        tls: tls.map(|(cert, key)| TlsFiles { cert, key }),
        simulated: args.sim.is_some(),
        store_space: Arc::new(move || {
            let health = health.health();
            (Bytes(health.free_bytes), health.full)
        }),
        backup: Arc::new(move || source.stream()),
        metrics_vms: config.figures.metrics_vms,
        cluster: Arc::new(cluster::ApiDoor { member: member.clone() }),
        nodes: Arc::new(cluster::Others { member: member.clone(), here }),
        readiness: readiness.clone(),
        ..ApiConfig::new(data.path(), answering(agents), data.data_key()?)
    };
    let server = novacron_api::serve(api, shared, gateway)
        .await
        .with_context(|| format!("cannot serve on {}", config.api.listen))?;
    member.serve_api(server.for_members());
    readiness.set(true);
    Ok(server)
}

/// Says where the server is, for people and for scripts that read the log.
fn announce(api: &ServerHandle) {
    info!(url = %api.base_url, socket = %api.socket.display(), "ready");
    println!("NovaCron is at {}", api.base_url);
    if let Some(fingerprint) = &api.fingerprint {
        println!("CA fingerprint (SHA-256): {fingerprint}");
    }
    for address in api.addresses.iter().filter(|address| address.ip().is_loopback()) {
        let port = address.port();
        println!("From another machine:     ssh -L {port}:{address} HOST");
    }
    println!("A sign-in link:           novacron web");
}

/// Cancelled by SIGTERM or SIGINT.
fn ending() -> Result<CancellationToken> {
    let end = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut arrivals = signal(kind)?;
        let end = end.clone();
        tokio::spawn(async move {
            arrivals.recv().await;
            end.cancel();
            // Whoever asks twice does not want to wait. What is durable stays durable.
            arrivals.recv().await;
            std::process::exit(130);
        });
    }
    Ok(end)
}
