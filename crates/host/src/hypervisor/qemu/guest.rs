//! One live QEMU process: its control channel, its end, what its agent last told.
//!
//! A task keeps the channel open and dials anew when it breaks; callers wait for it. Another, in
//! the parent, waits for the process's end. Both stop with the driver, the guest does not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use novacron_model::vm::GuestAgent;
use novacron_model::{Code, Error, Result};
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::super::{GuestEvent, Handle, Observed, Phase, not_running};
use super::line::Line;
use super::log::Log;
use super::process::Process;
use super::qga::Qga;
use super::qmp::{Event, Qmp, QmpError};
use super::run_dir::{QMP, RunDir};
use super::status;

/// How long a call waits for the control channel. QEMU serves it before the guest's first
/// instruction; this is for machines that are short of everything.
const LINK_PATIENCE: Duration = Duration::from_secs(30);
const REDIAL_FIRST: Duration = Duration::from_millis(50);
const REDIAL_MAX: Duration = Duration::from_secs(5);
/// What the agent told is asked again after this time.
const AGENT_FRESH: Duration = Duration::from_mins(1);

pub(super) struct Guest {
    pub handle: Handle,
    pub run: RunDir,
    pub serial_log: Log,
    pub line: Line,
    pub process: Process,
    pub qga: tokio::sync::Mutex<Option<Qga>>,
    /// Cancelled once the process is gone and buried.
    pub gone: CancellationToken,
    pub events: broadcast::Sender<GuestEvent>,
    pub link: watch::Sender<Option<Arc<Qmp>>>,
    pub agent: Mutex<AgentNews>,
    /// Held while QEMU is asked for its counters.
    pub counting: Arc<tokio::sync::Mutex<()>>,
}

/// What is known of the guest agent.
#[derive(Default)]
pub(super) struct AgentNews {
    /// A program in the guest has the agent's port open.
    pub present: bool,
    pub told: Option<GuestAgent>,
    pub asked: Option<Instant>,
}

impl Guest {
    /// Starts keeping the channel until `stop` or the guest's end.
    pub fn keep_linked(self: &Arc<Self>, stop: CancellationToken) {
        let guest = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = guest.gone.cancelled() => {}
                () = guest.link_forever() => {}
            }
            guest.link.send_replace(None);
        });
    }

    async fn link_forever(self: &Arc<Self>) {
        let mut pause = REDIAL_FIRST;
        loop {
            match self.dial().await {
                Ok((qmp, events)) => {
                    pause = REDIAL_FIRST;
                    self.follow(qmp, events).await;
                    self.link.send_replace(None);
                }
                Err(error) => {
                    tracing::debug!(uid = %self.handle.uid, %error, "no control channel yet");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(REDIAL_MAX);
        }
    }

    async fn dial(&self) -> Result<(Qmp, broadcast::Receiver<Event>)> {
        let stream = self.run.connect(QMP).await;
        let stream = stream.map_err(|error| {
            Error::unavailable(format!("QEMU's control channel is not there: {error}"))
        })?;
        let (qmp, events) = Qmp::connect(stream).await.map_err(|error| self.told(&error))?;
        let answer = qmp.call("query-uuid", Value::Null).await;
        let answer = answer.map_err(|error| self.told(&error))?;
        if answer["UUID"] != self.handle.uid.to_string() {
            return Err(Error::internal(format!(
                "the process {} says that it is guest {}, not {}",
                self.handle.pid, answer["UUID"], self.handle.uid
            )));
        }
        Ok((qmp, events))
    }

    /// Passes events on until the channel breaks.
    async fn follow(self: &Arc<Self>, qmp: Qmp, mut events: broadcast::Receiver<Event>) {
        let qmp = Arc::new(qmp);
        self.link.send_replace(Some(Arc::clone(&qmp)));
        // Events were missed while nobody was connected.
        self.look_for_agent(&qmp).await;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => self.pass_on(&event),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.tell("LAGGED"),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = qmp.closed() => return,
            }
        }
    }

    fn pass_on(self: &Arc<Self>, event: &Event) {
        if event.name == "VSERPORT_CHANGE" && event.data["id"] == "agent" {
            self.agent_port(event.data["open"] == true);
        } else if status::is_telling(&event.name) {
            self.tell(&event.name);
        }
    }

    pub fn tell(&self, name: &str) {
        // Nobody may be listening; events are hints.
        let _ = self.events.send(GuestEvent { uid: self.handle.uid, name: name.to_owned() });
    }

    /// Calls QEMU; waits for the channel first.
    pub async fn call(&self, command: &str, arguments: Value) -> Result<Value> {
        let qmp = self.qmp().await?;
        qmp.call(command, arguments).await.map_err(|error| self.told(&error))
    }

    pub async fn qmp(&self) -> Result<Arc<Qmp>> {
        self.qmp_within(LINK_PATIENCE).await
    }

    pub async fn qmp_within(&self, patience: Duration) -> Result<Arc<Qmp>> {
        let mut link = self.link.subscribe();
        let linked = async {
            let qmp = link.wait_for(Option::is_some).await.ok().and_then(|qmp| qmp.clone());
            qmp.ok_or_else(|| not_running(self.handle.uid))
        };
        tokio::select! {
            () = self.gone.cancelled() => Err(not_running(self.handle.uid)),
            linked = tokio::time::timeout(patience, linked) => linked.unwrap_or_else(|_| {
                Err(Error::new(
                    Code::Timeout,
                    format!(
                        "QEMU of guest {} did not open its control channel within {} s",
                        self.handle.uid,
                        patience.as_secs()
                    ),
                ))
            }),
        }
    }

    pub fn told(&self, error: &QmpError) -> Error {
        let uid = self.handle.uid;
        match error {
            QmpError::Timeout { .. } => Error::new(Code::Timeout, format!("guest {uid}: {error}")),
            QmpError::Refused { .. } | QmpError::Closed => {
                Error::unavailable(format!("guest {uid}: {error}"))
            }
        }
    }

    /// The run state as QEMU names it.
    pub async fn run_state(&self) -> Result<String> {
        let answer = self.call("query-status", Value::Null).await?;
        Ok(answer["status"].as_str().unwrap_or("unknown").to_owned())
    }

    pub async fn observe(self: &Arc<Self>) -> Result<Observed> {
        let (phase, reason) = status::phase(&self.run_state().await?);
        let mut reason = reason.map(str::to_owned);
        if phase == Phase::PausedOnIoError {
            reason = Some(status::io_error(&self.call("query-block", Value::Null).await?));
        }
        let started = self.run.started();
        Ok(Observed { phase, started, reason, agent: self.agent_news() })
    }

    fn agent_news(self: &Arc<Self>) -> Option<GuestAgent> {
        let mut news = self.lock_agent();
        if !news.present {
            return None;
        }
        if news.asked.is_none_or(|asked| asked.elapsed() > AGENT_FRESH) {
            news.asked = Some(Instant::now());
            self.ask_agent();
        }
        news.told.clone()
    }

    pub(super) async fn look_for_agent(self: &Arc<Self>, qmp: &Qmp) {
        let devices = qmp.call("query-chardev", Value::Null).await.unwrap_or(json!([]));
        let devices = devices.as_array().map_or(&[][..], Vec::as_slice);
        let open = |device: &Value| device["label"] == "agent0" && device["frontend-open"] == true;
        if devices.iter().any(open) {
            self.agent_port(true);
        }
    }

    /// A program in the guest opened or closed the agent's port.
    fn agent_port(self: &Arc<Self>, open: bool) {
        let mut news = self.lock_agent();
        *news = AgentNews { present: open, told: None, asked: open.then(Instant::now) };
        drop(news);
        if open {
            self.ask_agent();
        } else {
            self.tell("AGENT");
        }
    }

    fn ask_agent(self: &Arc<Self>) {
        let guest = Arc::clone(self);
        tokio::spawn(async move {
            let told = tokio::select! {
                () = guest.gone.cancelled() => return,
                told = guest.agent_info() => told,
            };
            let mut news = guest.lock_agent();
            let told = told.ok().filter(|_| news.present);
            let changed = news.told != told;
            news.told = told;
            drop(news);
            if changed {
                guest.tell("AGENT");
            }
        });
    }

    /// What the agent has told somebody else; observers are not to hear an older answer.
    pub fn note_agent(&self, info: &GuestAgent) {
        let mut news = self.lock_agent();
        if news.present {
            news.told = Some(info.clone());
        }
    }

    pub fn agent_present(&self) -> bool {
        self.lock_agent().present
    }

    fn lock_agent(&self) -> std::sync::MutexGuard<'_, AgentNews> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
