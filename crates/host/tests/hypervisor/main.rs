//! The hypervisor contract on every driver, and what only one driver can show.

#[cfg(test)]
mod qemu;
#[cfg(test)]
mod qemu_devices;
#[cfg(test)]
mod qemu_figures;
#[cfg(test)]
mod qemu_guests;
#[cfg(test)]
mod qemu_hard;
#[cfg(test)]
mod qemu_windows;
#[cfg(test)]
mod sim;
