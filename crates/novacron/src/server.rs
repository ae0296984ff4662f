//! `novacron server`: opens what lies on disk, starts what runs, and ends it in reverse order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use novacron_agent::AgentHandle;
use novacron_api::{ApiConfig, Readiness, ServerHandle, TlsFiles};
use novacron_cli::Globals;
use novacron_model::{Bytes, Name};
use novacron_raft::RaftStore;
use novacron_store::{CommitError, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::gateway::LocalGateway;
use crate::log_ring::LogRing;
use crate::{clock, control_loop, identity, logging, nodes, notify, state};

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
    data.data_key()?;
    let store = state::open_store(&config, &data).await?;
    let served = serve(args, &config, &data, store.clone(), log, &end).await;
    store.shutdown().await;
    served
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
    store: Arc<RaftStore>,
    log: LogRing,
    end: &CancellationToken,
) -> Result<()> {
    let copies = state::copies(config, data.path())?;
    bootstrap(store.as_ref()).await?;
    let shared: Arc<dyn Store> = store.clone();
    let control = tokio::spawn(control(shared.clone(), end.clone()));
    let agents = match args.sim {
        Some(count) => nodes::simulated(count, config, data, &shared).await?,
        None => vec![nodes::real(config, data, &shared).await?],
    };
    let source = source(data, &shared, &agents);
    let copies = tokio::spawn(source.keep(copies, end.clone()));
    let gateway = LocalGateway::new(&agents, shared, config.images.catalogue(), log);
    let served = answer(args, config, data, &store, (&agents, gateway), end).await;
    for agent in &agents {
        agent.shutdown().await;
    }
    end.cancel();
    copies.await?;
    control.await??;
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

/// Runs the control loop. Should it ever end by itself, everything ends: a server that answers but
/// plans nothing would look well.
async fn control(store: Arc<dyn Store>, end: CancellationToken) -> Result<()> {
    let ended = tokio::spawn(control_loop::run(store, end.clone())).await;
    end.cancel();
    ended.context("the control loop has ended")
}

/// Serves the API until the process is asked to end.
async fn answer(
    args: &Args,
    config: &Config,
    data: &DataDir,
    store: &Arc<RaftStore>,
    nodes: (&[AgentHandle], Arc<LocalGateway>),
    end: &CancellationToken,
) -> Result<()> {
    let api = serve_api(args, config, data, store, nodes).await?;
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
    (agents, gateway): (&[AgentHandle], Arc<LocalGateway>),
) -> Result<ServerHandle> {
    let health = store.clone();
    let readiness = Readiness::default();
    let shared: Arc<dyn Store> = store.clone();
    let source = source(data, &shared, agents);
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
        readiness: readiness.clone(),
        ..ApiConfig::new(data.path(), answering(agents), data.data_key()?)
    };
    let server = novacron_api::serve(api, shared, gateway)
        .await
        .with_context(|| format!("cannot serve on {}", config.api.listen))?;
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
