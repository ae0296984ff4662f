//! Starting a guest: directory, sockets, process, then its first answer.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use novacron_model::{Error, Result};

use super::super::{Handle, Machine};
use super::keep::Keep;
use super::run_dir::{AGENT, QMP, RunDir, SERIAL, io_failed};
use super::spawn::Launch;
use super::{LOG_MARK, Shared, command, failure, handle_of, lock, qemu_log, qemu_output, tpm};
use crate::network::Tap;

impl Shared {
    /// No process of this VM may live.
    pub(super) async fn start(self: &Arc<Self>, machine: &Machine) -> Result<Handle> {
        if !machine.tpm {
            return self.start_guest(machine).await;
        }
        let state = Keep::new(&self.config.data_dir, machine.uid).tpm_path();
        tpm::end(&state).await?;
        let started = self.start_guest(machine).await;
        if started.is_err() {
            // Nobody ever spoke with it: it would wait for ever.
            tpm::end(&state).await?;
        }
        started
    }

    async fn start_guest(self: &Arc<Self>, machine: &Machine) -> Result<Handle> {
        let run = RunDir::new(&self.runs, machine.uid);
        lock(&self.ends).remove(&machine.uid);
        let taps = self.taps(machine).await?;
        let pid = self.launch(machine, &run, taps)?;
        let Some(process) = self.process(machine.uid, pid)? else {
            return Err(self.start_failed(machine, &run));
        };
        let handle = handle_of(machine.uid, machine.epoch, &process);
        let guest = self.adopt(&mut lock(&self.guests), handle.clone(), process);
        if let Err(error) = run.write_pid(pid) {
            // Without its pid file the guest could not be found again after a restart.
            guest.end().await?;
            run.clear()?;
            return Err(error);
        }
        let answers = async {
            guest.qmp().await?;
            guest.limit_all(&machine.drives).await
        };
        match answers.await {
            Ok(()) => {
                // Not before: while the kernel moves a process, that cannot make threads.
                self.admit(Arc::clone(&guest));
                Ok(handle)
            }
            Err(_) if guest.gone.is_cancelled() => Err(self.start_failed(machine, &run)),
            Err(error) => {
                // A process that does not answer must not stay behind a failed start.
                guest.end().await?;
                run.clear()?;
                Err(error)
            }
        }
    }

    fn launch(&self, machine: &Machine, run: &RunDir, taps: BTreeMap<usize, Tap>) -> Result<u32> {
        run.create()?;
        // Of a guest that has gone since.
        run.unmark_frozen();
        let sockets = [run.listen(QMP)?, run.listen(SERIAL)?, run.listen(AGENT)?];
        let [qmp, serial, agent] = sockets.each_ref().map(AsRawFd::as_raw_fd);
        let in_run = |error| io_failed("write the logs in", run.path(), &error);
        let serial_log = self.serial_log(run);
        serial_log.prepare().map_err(in_run)?;
        let keep = Keep::new(&self.config.data_dir, machine.uid);
        let firmware = keep.firmware(machine.firmware)?;
        let tpm = if machine.tpm { Some(tpm::start(&keep.tpm()?)?) } else { None };
        let place = command::Place {
            accelerator: self.accelerator,
            firmware,
            tpm: tpm.as_ref().map(AsRawFd::as_raw_fd),
            taps: &taps,
            pid_file: &run.pid_file(),
            serial_log: serial_log.live_path(),
            qmp,
            serial,
            agent,
        };
        let arguments = command::arguments(machine, &place)?;
        let mut log = qemu_log(run, self.largest_file).prepare().map_err(in_run)?;
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        let now = jiff::Timestamp::now();
        // A full log is no reason not to start.
        let _ = writeln!(log, "{LOG_MARK}{now:.0} epoch {}: {}", machine.epoch, words.join(" "));
        run.write_epoch(machine.epoch)?;
        let launch = Launch {
            binary: &self.config.binary,
            arguments: &arguments,
            log,
            sockets: sockets
                .into_iter()
                .map(OwnedFd::from)
                .chain(tpm)
                .chain(taps.into_values().map(|tap| tap.fd))
                .collect(),
        };
        launch.start().map_err(|error| no_qemu(&self.config.binary, &error))
    }

    fn start_failed(&self, machine: &Machine, run: &RunDir) -> Error {
        let output = qemu_output(run, self.largest_file, 16 << 10);
        let ended = lock(&self.ends).remove(&machine.uid);
        // What was left of a try says nothing of a live guest any more.
        if let Err(error) = run.clear() {
            return error;
        }
        failure::of_start(&machine.name, ended.as_deref(), &output)
    }
}

/// What `--version` says, such as `10.0.2`.
pub(super) async fn version(binary: &Path) -> Result<String> {
    let output = tokio::process::Command::new(binary).arg("--version").output().await;
    let output = output.map_err(|error| no_qemu(binary, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace().skip_while(|word| *word != "version");
    let version = words.nth(1).map(str::to_owned);
    version.ok_or_else(|| {
        Error::unsupported(format!("{} does not tell its version", binary.display()))
            .hint("see that it is QEMU")
    })
}

fn no_qemu(binary: &Path, error: &std::io::Error) -> Error {
    Error::unsupported(format!("{} cannot be run: {error}", binary.display()))
        .hint("install QEMU (apt install qemu-system-x86 qemu-utils)")
}
