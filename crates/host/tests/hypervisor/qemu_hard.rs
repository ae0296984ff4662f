//! What only real QEMU processes can show: hostile names and paths, full disks, floods, taken
//! ports, and what a guest's process looks like from outside.
