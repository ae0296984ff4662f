//! Pools, images and cloud-init media, with real files and the real `qemu-img`.

#![expect(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

mod again;
mod cloud_init;
mod copies;
mod crash;
mod doctor;
mod export;
mod foreign;
mod full;
mod handed;
mod hostile;
mod image;
mod part;
mod pool;
mod published;
mod tool;
mod web;
mod whole_vm;
