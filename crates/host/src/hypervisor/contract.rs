//! What every driver must do, as one suite: a public function per property, and
//! [`hypervisor_contract`](crate::hypervisor_contract), which makes a test of each. A breach
//! panics. Left out: what only one driver can show (hostile paths, full disks).

mod bridges;
mod devices;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use novacron_model::volume::DiskFormat;
use novacron_model::{Bytes, Code};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::{
    Control, Drive, Duplex, Figures, GuestEvent, Handle, Hypervisor, Machine, Observed, Phase,
    Serial, Snapshots, Stop,
};

pub use bridges::{
    a_missing_bridge_is_named, a_nic_follows_its_bridge, an_adopted_guest_keeps_its_nics,
};
pub use devices::{
    a_disk_comes_to_a_live_guest, a_disk_that_does_not_fit_leaves_the_guest_as_it_was,
    forwards_begin_and_end_under_a_live_guest, media_change_in_a_live_drive,
};

/// Slow machines are waited for; a breach is told after this time.
const PATIENCE: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(20);

/// A driver under test, with the means to restart the daemon and to kill a guest.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A driver as a new daemon would make it, on the same machine and data.
    async fn driver(&self) -> Box<dyn Hypervisor>;

    /// A machine with one qcow2 drive, of a new uid at each call. Its guest prints a line with
    /// `guest is up`, echoes what is typed on its serial line, and hears its power button.
    fn machine(&self) -> Machine;

    /// Ends the guest's process without a word.
    fn kill(&self, handle: &Handle);

    /// Makes a bridge on the machine, or removes it. Comes before the first driver.
    async fn bridge(&self, name: &str, there: bool);
}

/// Makes a test of every property. The expression makes a fixture.
#[macro_export]
macro_rules! hypervisor_contract {
    ($fixture:expr) => {
        $crate::hypervisor_contract! {
            @each $fixture;
            capabilities_agree_with_the_powers
            ensure_twice_equals_once
            a_new_driver_adopts_what_runs
            a_guest_is_found_without_its_handle
            another_epoch_is_refused
            a_guest_starts_paused_when_asked
            pause_and_resume_are_idempotent
            a_reset_boots_again_in_the_same_process
            the_power_button_shuts_the_guest_down
            destroy_leaves_no_process
            a_killed_process_is_seen_and_told
            every_client_of_the_serial_line_sees_it
            the_serial_history_outlives_the_guest
            the_screen_greets
            a_live_guest_is_not_forgotten
            an_absent_guest_has_no_powers
            snapshots_are_idempotent_by_tag
            raw_disks_hold_no_snapshots
            a_disk_grows_under_a_live_guest
            a_freeze_ends_however_it_is_left
            counters_rise_while_a_guest_runs
            a_missing_bridge_is_named
            a_nic_follows_its_bridge
            an_adopted_guest_keeps_its_nics
            a_disk_comes_to_a_live_guest
            a_disk_that_does_not_fit_leaves_the_guest_as_it_was
            media_change_in_a_live_drive
            forwards_begin_and_end_under_a_live_guest
        }
    };
    (@each $fixture:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                $crate::hypervisor::contract::$property(&$fixture).await;
            }
        )*
    };
}

pub async fn capabilities_agree_with_the_powers(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let offered = [
        ("control", driver.control().is_some()),
        ("serial", driver.serial().is_some()),
        ("screen", driver.screen().is_some()),
        ("guest_agent", driver.guest_agent().is_some()),
        ("snapshots", driver.snapshots().is_some()),
        ("growth", driver.growth().is_some()),
        ("hotplug", driver.hotplug().is_some()),
        ("freeze", driver.freeze().is_some()),
        ("figures", driver.figures().is_some()),
        ("bridges", driver.bridges().is_some()),
    ];
    let capabilities = driver.capabilities();
    for (power, present) in offered {
        assert_eq!(capabilities.powers.contains(&power), present, "{power}");
    }
    assert_eq!(capabilities.powers.len(), offered.iter().filter(|(_, present)| *present).count());
    assert!(!capabilities.version.is_empty() && capabilities.max_cpus > 0, "{capabilities:?}");
}

pub async fn ensure_twice_equals_once(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let first = start(&*driver, &machine).await;
    assert_eq!(start(&*driver, &machine).await, first);
    let observed = observe(&*driver, &first).await;
    assert_eq!(observed.phase, Phase::Running);
    assert!(observed.started.is_some());
    end(&*driver, &first).await;
}

pub async fn a_new_driver_adopts_what_runs(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    drop(driver);
    let driver = fixture.driver().await;
    // The handle has been stored and read again, as the agent does.
    let stored = serde_json::to_string(&handle).expect("a handle is plain data");
    let handle: Handle = serde_json::from_str(&stored).expect("a handle reads itself");
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Running);
    assert_eq!(start(&*driver, &machine).await, handle);
    let mut events = driver.events();
    control(&*driver).pause(&handle).await.expect("an adopted guest can be paused");
    event(&mut events, machine.uid, "STOP").await;
    end(&*driver, &handle).await;
}

pub async fn a_guest_is_found_without_its_handle(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    assert_eq!(driver.find(machine.uid).await, Ok(None));
    let handle = start(&*driver, &machine).await;
    drop(driver);
    let driver = fixture.driver().await;
    assert_eq!(driver.find(machine.uid).await, Ok(Some(handle.clone())));
    end(&*driver, &handle).await;
    assert_eq!(driver.find(machine.uid).await, Ok(None));
}

pub async fn another_epoch_is_refused(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let mut machine = fixture.machine();
    machine.epoch = 2;
    let handle = start(&*driver, &machine).await;
    for epoch in [1, 3] {
        machine.epoch = epoch;
        let error = driver.ensure(&machine).await.expect_err("two epochs at once");
        assert_eq!(error.code, Code::Conflict, "{error}");
    }
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Running);
    end(&*driver, &handle).await;
}

pub async fn a_guest_starts_paused_when_asked(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = Machine { paused: true, ..fixture.machine() };
    let handle = start(&*driver, &machine).await;
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Paused);
    control(&*driver).resume(&handle).await.expect("a paused guest can be resumed");
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Running);
    history_with(&*driver, machine.uid, "guest is up", 1).await;
    end(&*driver, &handle).await;
}

pub async fn pause_and_resume_are_idempotent(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    let control = control(&*driver);
    let mut events = driver.events();
    for _ in 0..2 {
        control.pause(&handle).await.expect("pause");
        assert_eq!(observe(&*driver, &handle).await.phase, Phase::Paused);
    }
    event(&mut events, machine.uid, "STOP").await;
    // A new daemon's `ensure` must not wake what a user has halted.
    assert_eq!(start(&*driver, &machine).await, handle);
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Paused);
    for _ in 0..2 {
        control.resume(&handle).await.expect("resume");
        assert_eq!(observe(&*driver, &handle).await.phase, Phase::Running);
    }
    event(&mut events, machine.uid, "RESUME").await;
    end(&*driver, &handle).await;
}

pub async fn a_reset_boots_again_in_the_same_process(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    history_with(&*driver, machine.uid, "guest is up", 1).await;
    control(&*driver).reset(&handle).await.expect("reset");
    history_with(&*driver, machine.uid, "guest is up", 2).await;
    assert_eq!(driver.find(machine.uid).await, Ok(Some(handle.clone())));
    driver.stop(&handle, Stop::PowerButton).await.expect("power button");
    phase(&*driver, &handle, Phase::ShutDown).await;
    control(&*driver).reset(&handle).await.expect("a guest that is off can be reset");
    history_with(&*driver, machine.uid, "guest is up", 3).await;
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Running);
    end(&*driver, &handle).await;
}

pub async fn the_power_button_shuts_the_guest_down(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let mut events = driver.events();
    let handle = start(&*driver, &machine).await;
    history_with(&*driver, machine.uid, "guest is up", 1).await;
    driver.stop(&handle, Stop::PowerButton).await.expect("power button");
    event(&mut events, machine.uid, "SHUTDOWN").await;
    let observed = phase(&*driver, &handle, Phase::ShutDown).await;
    assert!(observed.reason.is_some());
    // Not a user's pause: it cannot be resumed.
    let refused = control(&*driver).resume(&handle).await.expect_err("resumed what is off");
    assert_eq!(refused.code, Code::Conflict, "{refused}");
    end(&*driver, &handle).await;
}

pub async fn destroy_leaves_no_process(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let mut events = driver.events();
    let handle = start(&*driver, &machine).await;
    driver.destroy(&handle).await.expect("destroy");
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Absent);
    event(&mut events, machine.uid, "EXITED").await;
    driver.destroy(&handle).await.expect("destroyed twice equals once");
    let again = start(&*driver, &machine).await;
    assert_ne!(again, handle);
    // An old handle never touches a new process.
    driver.destroy(&handle).await.expect("the old one is gone");
    assert_eq!(observe(&*driver, &again).await.phase, Phase::Running);
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Absent);
    end(&*driver, &again).await;
}

pub async fn a_killed_process_is_seen_and_told(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let mut events = driver.events();
    let handle = start(&*driver, &machine).await;
    fixture.kill(&handle);
    event(&mut events, machine.uid, "EXITED").await;
    let observed = observe(&*driver, &handle).await;
    assert_eq!(observed.phase, Phase::Absent);
    assert!(observed.reason.is_some_and(|reason| reason.contains("killed")));
    let again = start(&*driver, &machine).await;
    assert_ne!(again, handle);
    end(&*driver, &again).await;
}

pub async fn every_client_of_the_serial_line_sees_it(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    history_with(&*driver, machine.uid, "guest is up", 1).await;
    let mut first = open(serial(&*driver), &handle).await;
    let mut second = open(serial(&*driver), &handle).await;
    first.write_all(b"abc").await.expect("the line is open");
    read_until(&mut first, "abc").await;
    read_until(&mut second, "abc").await;
    drop(first);
    second.write_all(b"xyz").await.expect("the line stays open");
    read_until(&mut second, "xyz").await;
    drop(second);
    let mut third = open(serial(&*driver), &handle).await;
    third.write_all(b"123").await.expect("the line opens again");
    read_until(&mut third, "123").await;
    end(&*driver, &handle).await;
}

pub async fn the_serial_history_outlives_the_guest(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    let history = history_with(&*driver, machine.uid, "guest is up", 1).await;
    driver.destroy(&handle).await.expect("destroy");
    drop(driver);
    let driver = fixture.driver().await;
    let serial = serial(&*driver);
    let after = serial.tail(machine.uid, u64::MAX).await.expect("tail");
    assert!(String::from_utf8_lossy(&after).starts_with(&history), "{history:?}");
    assert_eq!(serial.tail(machine.uid, 4).await.map(|tail| tail.len()), Ok(4));
    assert_eq!(serial.tail(machine.uid, 0).await, Ok(Vec::new()));
    driver.forget(machine.uid).await.expect("forget");
    assert_eq!(serial.tail(machine.uid, 100).await, Ok(Vec::new()));
}

pub async fn the_screen_greets(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let handle = start(&*driver, &fixture.machine()).await;
    let screen = driver.screen().expect("power screen");
    // Two at once, as two browser tabs.
    for _ in 0..2 {
        let mut stream = screen.open(&handle).await.expect("the screen opens");
        read_until(&mut stream, "RFB 003.008\n").await;
    }
    end(&*driver, &handle).await;
}

pub async fn a_live_guest_is_not_forgotten(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    let refused = driver.forget(machine.uid).await.expect_err("forgot a live guest");
    assert_eq!(refused.code, Code::Conflict, "{refused}");
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Running);
    end(&*driver, &handle).await;
    driver.forget(machine.uid).await.expect("forgotten twice equals once");
}

pub async fn an_absent_guest_has_no_powers(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let handle = Handle {
        driver: driver.capabilities().driver.to_owned(),
        uid: Uuid::now_v7(),
        epoch: 1,
        pid: 1,
        start_ticks: 0,
        boot_id: "another".to_owned(),
    };
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Absent);
    driver.destroy(&handle).await.expect("what is gone needs no destroying");
    let refusals = [
        control(&*driver).pause(&handle).await.err(),
        driver.stop(&handle, Stop::PowerButton).await.err(),
        serial(&*driver).open(&handle).await.err(),
        driver.screen().expect("power screen").open(&handle).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.map(|error| error.code), Some(Code::Conflict));
    }
}

pub async fn snapshots_are_idempotent_by_tag(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let disks = &machine.drives;
    let snapshots = snapshots(&*driver);
    let handle = start(&*driver, &machine).await;
    let (live, stopped) = (Uuid::now_v7(), Uuid::now_v7());
    for _ in 0..2 {
        snapshots.take(Some(&handle), disks, live).await.expect("a live snapshot");
    }
    end(&*driver, &handle).await;
    for _ in 0..2 {
        snapshots.take(None, disks, stopped).await.expect("a snapshot of a stopped VM");
        snapshots.restore(disks, live).await.expect("restore");
    }
    let size = snapshots.size(disks, stopped).await.expect("what it holds");
    assert!(snapshots.size(disks, live).await.expect("what it holds") <= size, "it is older");
    for _ in 0..2 {
        snapshots.delete(None, disks, stopped).await.expect("delete");
    }
    let gone = snapshots.restore(disks, stopped).await.expect_err("restored what is gone");
    assert_eq!(gone.code, Code::NotFound, "{gone}");
    let gone = snapshots.size(disks, stopped).await.expect_err("measured what is gone");
    assert_eq!(gone.code, Code::NotFound, "{gone}");
    let handle = start(&*driver, &machine).await;
    for _ in 0..2 {
        snapshots.delete(Some(&handle), disks, live).await.expect("a live delete");
    }
    end(&*driver, &handle).await;
    assert!(snapshots.restore(disks, live).await.is_err());
}

pub async fn raw_disks_hold_no_snapshots(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let mut disks: Vec<Drive> = fixture.machine().drives;
    disks[0].format = DiskFormat::Raw;
    let snapshots = snapshots(&*driver);
    let refused = snapshots.take(None, &disks, Uuid::now_v7()).await.expect_err("took a snapshot");
    assert_eq!(refused.code, Code::Unsupported, "{refused}");
    assert!(refused.message.contains("raw") && refused.hint.is_some(), "{refused:?}");
}

pub async fn a_disk_grows_under_a_live_guest(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let path = &machine.drives[0].path;
    let handle = start(&*driver, &machine).await;
    // A snapshot of the small disk is no obstacle.
    let tag = Uuid::now_v7();
    snapshots(&*driver).take(Some(&handle), &machine.drives, tag).await.expect("a snapshot");
    let growth = driver.growth().expect("power growth");
    for _ in 0..2 {
        assert_eq!(growth.grow(&handle, path, Bytes::gib(3)).await, Ok(Some(Bytes::gib(3))));
    }
    // Never smaller, and known to the next daemon.
    drop(driver);
    let driver = fixture.driver().await;
    let growth = driver.growth().expect("power growth");
    assert_eq!(growth.grow(&handle, path, Bytes::gib(1)).await, Ok(Some(Bytes::gib(3))));
    let stranger = growth.grow(&handle, Path::new("/no/drive"), Bytes::gib(3)).await;
    assert_eq!(stranger, Ok(None), "it is no drive of this guest");
    end(&*driver, &handle).await;
    let gone = driver.growth().expect("power growth").grow(&handle, path, Bytes::gib(4)).await;
    assert_eq!(gone.expect_err("no guest").code, Code::Conflict);
    snapshots(&*driver).restore(&machine.drives, tag).await.expect("restored at its old size");
}

/// A guest without an agent that can freeze says so, and is snapshot nonetheless.
pub async fn a_freeze_ends_however_it_is_left(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    let freeze = driver.freeze().expect("power freeze");
    match freeze.freeze(&handle).await {
        Ok(frozen) => {
            frozen.thaw().await.expect("it held still");
            drop(freeze.freeze(&handle).await.expect("frozen again"));
            // Left by a daemon that dies: the next one does not find it frozen.
            std::mem::forget(freeze.freeze(&handle).await);
        }
        Err(error) => assert!(!error.message.is_empty()),
    }
    drop(driver);
    let driver = fixture.driver().await;
    let (tag, snapshots) = (Uuid::now_v7(), snapshots(&*driver));
    let take = snapshots.take(Some(&handle), &machine.drives, tag);
    let (taken, _) = super::while_frozen(&*driver, &handle, take).await;
    taken.expect("a snapshot, frozen or not");
    control(&*driver).pause(&handle).await.expect("pause");
    let freeze = driver.freeze().expect("power freeze");
    let refused = freeze.freeze(&handle).await.err().expect("froze a paused guest");
    assert!(refused.message.contains("paused"), "{refused}");
    end(&*driver, &handle).await;
}

pub async fn counters_rise_while_a_guest_runs(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    let figures = figures(&*driver);
    let first = eventually("CPU time", || async {
        let totals = figures.totals(&handle).await.expect("totals").expect("it runs");
        totals.cpu.is_some_and(|cpu| !cpu.is_zero()).then_some(totals)
    })
    .await;
    assert!(first.memory.is_some_and(|memory| memory.0 > 0), "{first:?}");
    let second = eventually("more CPU time, and disks that are counted", || async {
        let totals = figures.totals(&handle).await.expect("totals").expect("it runs");
        (totals.cpu > first.cpu && totals.disk.is_some()).then_some(totals)
    })
    .await;
    // A daemon that is started anew goes on with the same counters.
    drop(driver);
    let driver = fixture.driver().await;
    let after = self::figures(&*driver).totals(&handle).await.expect("totals").expect("it runs");
    assert!(after.cpu >= second.cpu, "{after:?} after {second:?}");
    end(&*driver, &handle).await;
    assert_eq!(self::figures(&*driver).totals(&handle).await, Ok(None));
}

pub async fn start(driver: &dyn Hypervisor, machine: &Machine) -> Handle {
    let handle = driver.ensure(machine).await.expect("the machine starts");
    assert_eq!((handle.uid, handle.epoch), (machine.uid, machine.epoch));
    assert_eq!(handle.driver, driver.capabilities().driver);
    handle
}

pub async fn observe(driver: &dyn Hypervisor, handle: &Handle) -> Observed {
    driver.observe(handle).await.expect("the guest can be observed")
}

/// Waits for a phase.
pub async fn phase(driver: &dyn Hypervisor, handle: &Handle, wanted: Phase) -> Observed {
    eventually(&format!("phase {wanted:?}"), || async {
        Some(observe(driver, handle).await).filter(|observed| observed.phase == wanted)
    })
    .await
}

/// Waits until the serial history has `text` `times` times.
pub async fn history_with(driver: &dyn Hypervisor, uid: Uuid, text: &str, times: usize) -> String {
    eventually(&format!("{text:?} on the serial line"), || async {
        let tail = serial(driver).tail(uid, u64::MAX).await.expect("tail");
        let history = String::from_utf8_lossy(&tail).into_owned();
        Some(history).filter(|history| history.matches(text).count() >= times)
    })
    .await
}

/// Reads until `text` has come.
pub async fn read_until(stream: &mut Box<dyn Duplex>, text: &str) {
    let mut seen = Vec::new();
    let read = async {
        while !seen.windows(text.len()).any(|window| window == text.as_bytes()) {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.expect("the stream is open");
            assert!(read > 0, "the stream ended before {text:?}");
            seen.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("{text:?} never came"));
}

/// Waits for an event of this guest.
pub async fn event(events: &mut BoxStream<'static, GuestEvent>, uid: Uuid, name: &str) {
    let wait = async {
        while let Some(event) = events.next().await {
            if event.uid == uid && event.name == name {
                return;
            }
        }
        panic!("the stream of events ended before {name}");
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no event {name}"));
}

/// Asks until there is an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let wait = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no {what}"))
}

/// Ends the guest and forgets it.
pub async fn end(driver: &dyn Hypervisor, handle: &Handle) {
    driver.destroy(handle).await.expect("destroy");
    driver.forget(handle.uid).await.expect("forget");
}

async fn open(serial: &dyn Serial, handle: &Handle) -> Box<dyn Duplex> {
    serial.open(handle).await.expect("the serial line opens")
}

fn control(driver: &dyn Hypervisor) -> &dyn Control {
    driver.control().expect("power control")
}

fn serial(driver: &dyn Hypervisor) -> &dyn Serial {
    driver.serial().expect("power serial")
}

fn figures(driver: &dyn Hypervisor) -> &dyn Figures {
    driver.figures().expect("power figures")
}

fn snapshots(driver: &dyn Hypervisor) -> &dyn Snapshots {
    driver.snapshots().expect("power snapshots")
}
