//! Pools, images and cloud-init media, with real files and the real `qemu-img`.

#![expect(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

mod cloud_init;
mod doctor;
mod hostile;
mod image;
mod pool;
mod tool;
mod web;
