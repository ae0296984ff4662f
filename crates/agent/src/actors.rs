//! Who works now: one seat for each object that has an actor. An object at rest has none.
//!
//! A wake-up is a hint and never lost: whoever is woken while it works is asked to look once more
//! before it may leave its seat.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use novacron_store::Key;
use tokio::sync::Notify;
use uuid::Uuid;

/// All seats of an agent.
#[derive(Debug, Default)]
pub(crate) struct Actors {
    seats: Mutex<Seats>,
    /// Which family a guest's events belong to.
    guests: Mutex<HashMap<Uuid, Key>>,
}

type Seats = HashMap<Key, Place>;

#[derive(Debug)]
struct Place {
    wake: Arc<Notify>,
    woken: bool,
}

impl Actors {
    /// Wakes the family's actor; `true` if there is one.
    pub fn wake(&self, family: &Key) -> bool {
        let mut seats = lock(&self.seats);
        let Some(place) = seats.get_mut(family) else { return false };
        place.woken = true;
        place.wake.notify_one();
        true
    }

    /// Takes the family's seat for a new actor, unless it is taken.
    pub fn sit(self: &Arc<Self>, family: &Key) -> Option<Seat> {
        let mut seats = lock(&self.seats);
        if seats.contains_key(family) {
            return None;
        }
        let wake = Arc::new(Notify::new());
        seats.insert(family.clone(), Place { wake: wake.clone(), woken: false });
        Some(Seat { actors: self.clone(), family: family.clone(), wake, guest: None, left: false })
    }

    /// Wakes the actor of the guest with this uid.
    pub fn wake_guest(&self, uid: Uuid) {
        let family = lock(&self.guests).get(&uid).cloned();
        if let Some(family) = family {
            self.wake(&family);
        }
    }

    /// Families of the guests that have an actor.
    pub fn guests(&self) -> Vec<Key> {
        lock(&self.guests).values().cloned().collect()
    }

    /// Families that have an actor now.
    pub fn seated(&self) -> Vec<Key> {
        lock(&self.seats).keys().cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to act for one object. Dropping it, also in a panic, frees the seat.
#[derive(Debug)]
pub(crate) struct Seat {
    actors: Arc<Actors>,
    family: Key,
    wake: Arc<Notify>,
    guest: Option<Uuid>,
    left: bool,
}

impl Seat {
    pub fn family(&self) -> &Key {
        &self.family
    }

    /// Events of this guest wake the actor from now on.
    pub fn know_guest(&mut self, uid: Uuid) {
        let mut guests = lock(&self.actors.guests);
        if let Some(former) = self.guest.replace(uid) {
            guests.remove(&former);
        }
        guests.insert(uid, self.family.clone());
    }

    /// To be called before looking at the world: hints up to here are taken care of.
    pub fn look(&self) {
        if let Some(place) = lock(&self.actors.seats).get_mut(&self.family) {
            place.woken = false;
        }
    }

    /// Waits for a hint.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Leaves the seat; `false` if a hint has come since the last look.
    pub fn leave(&mut self) -> bool {
        let mut seats = lock(&self.actors.seats);
        if seats.get(&self.family).is_some_and(|place| place.woken) {
            return false;
        }
        self.free(&mut seats);
        drop(seats);
        self.left = true;
        true
    }

    /// With the seats held, so that a successor's guest is not forgotten.
    fn free(&self, seats: &mut Seats) {
        if let Some(guest) = self.guest {
            lock(&self.actors.guests).remove(&guest);
        }
        seats.remove(&self.family);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.left {
            self.free(&mut lock(&self.actors.seats));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_that_comes_late_keeps_the_actor() {
        let actors = Arc::new(Actors::default());
        let family = Key::new("vm/p/web");
        let mut seat = actors.sit(&family).unwrap();
        assert!(actors.sit(&family).is_none(), "one actor for each object");
        seat.look();
        assert!(actors.wake(&family));
        assert!(!seat.leave());
        seat.look();
        assert!(seat.leave());
        assert!(!actors.wake(&family));
        drop(seat);
        assert!(actors.sit(&family).is_some());
    }

    #[test]
    fn a_seat_is_free_again_after_a_panic() {
        let actors = Arc::new(Actors::default());
        let family = Key::new("vm/p/web");
        let seat = actors.sit(&family);
        let thread = std::thread::spawn(move || {
            let _seat = seat;
            panic!("planted");
        });
        assert!(thread.join().is_err());
        assert!(actors.sit(&family).is_some());
    }
}
