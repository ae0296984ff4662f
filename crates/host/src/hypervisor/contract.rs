//! What every driver must do, as one suite. A test calls [`run`] with a driver and the machine it
//! can start; the suite panics on a breach.
